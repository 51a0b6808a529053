// Commits and tags.
extension ObjectCheck {
  func checkCommit(_ data: UnsafeRawBufferPointer, id: ObjectID) throws(GitError) {
    if rules == .strict {
      var head = FsckHead(data)
      do { try head.commit() } catch { throw Self.fault(.commit, id, error.what, error.message) }
    }
    guard let commit = ObjectLinks.commit(data) else {
      throw Self.fault(.commit, id, "has no readable head", "badObjectSha1")
    }
    try link(commit.tree, .tree)
    for parent in commit.parents { try link(parent, .commit) }
  }

  func checkTag(_ data: UnsafeRawBufferPointer, id: ObjectID) throws(GitError) {
    if rules == .strict {
      var head = FsckHead(data)
      do { try head.tag() } catch { throw Self.fault(.tag, id, error.what, error.message) }
    }
    guard let tag = ObjectLinks.tag(data) else {
      throw Self.fault(.tag, id, "has no readable head", "badObjectSha1")
    }
    try link(tag.target, tag.kind)
  }

  private func link(_ id: ObjectID, _ kind: ObjectKind) throws(GitError) {
    try withUnsafeBytes(of: id.oid) { bytes throws(GitError) in
      if let pointer = bytes.baseAddress { try links.insert(pointer, kind) }
    }
  }
}

/// What git demands of the lines before a message.
private struct FsckHead {
  struct Fault: Error {
    let what: String
    /// git's name for it.
    let message: String

    init(_ what: String, _ message: String) {
      self.what = what
      self.message = message
    }
  }

  private let data: UnsafeRawBufferPointer
  private var head: ObjectHead

  init(_ data: UnsafeRawBufferPointer) {
    self.data = data
    head = ObjectHead(data)
  }

  mutating func commit() throws(Fault) {
    try checkLines()
    guard head.skip("tree ") else { throw Fault("has no line 'tree'", "missingTree") }
    guard head.id() != nil else { throw Fault("has no readable id in its line 'tree'", "badTreeSha1") }
    while head.skip("parent ") {
      guard head.id() != nil else { throw Fault("has no readable id in a line 'parent'", "badParentSha1") }
    }
    guard head.skip("author ") else { throw Fault("has no line 'author'", "missingAuthor") }
    try checkPerson("author")
    guard !head.skip("author ") else { throw Fault("has more than one line 'author'", "multipleAuthors") }
    guard head.skip("committer ") else { throw Fault("has no line 'committer'", "missingCommitter") }
    try checkPerson("committer")
    guard !data.contains(0) else { throw Fault("has a NUL byte in its message", "nulInCommit") }
  }

  mutating func tag() throws(Fault) {
    try checkLines()
    guard head.skip("object ") else { throw Fault("has no line 'object'", "missingObject") }
    guard head.id() != nil else { throw Fault("has no readable id in its line 'object'", "badObjectSha1") }
    guard head.skip("type ") else { throw Fault("has no line 'type'", "missingTypeEntry") }
    guard let type = head.line() else { throw Fault("ends in its line 'type'", "missingType") }
    guard ObjectKind(name: data[type]) != nil else {
      throw Fault("is for an object of the unknown type '\(shown(data[type]))'", "badType")
    }
    guard head.skip("tag ") else { throw Fault("has no line 'tag'", "missingTagEntry") }
    guard head.line() != nil else { throw Fault("ends in its line 'tag'", "missingTag") }
    // A bad name and a missing tagger are only worth a line to git: its own first tags are so.
    guard head.skip("tagger ") else { return }
    let person = Result { () throws(Fault) in try checkPerson("tagger") }
    // Nor does git look at its verdict on the tagger where further lines follow.
    let next = head.position
    if next >= data.count || head[next] == UInt8(ascii: "\n") { try person.get() }
  }

  /// All lines before the message must end, and hold no NUL.
  private func checkLines() throws(Fault) {
    var previous: UInt8 = 0
    for byte in data {
      if byte == 0 { throw Fault("has a NUL byte in its head", "nulInHeader") }
      if byte == UInt8(ascii: "\n"), previous == byte { return }
      previous = byte
    }
    guard previous == UInt8(ascii: "\n") else {
      throw Fault("ends in the middle of a line of its head", "unterminatedHeader")
    }
  }

  /// `name <email> seconds zone`, to the end of the line.
  private mutating func checkPerson(_ line: String) throws(Fault) {
    var index = head.position
    _ = head.line()
    func fault(_ what: String, _ message: String) -> Fault { Fault("has \(what) in its line '\(line)'", message) }
    if head[index] == UInt8(ascii: "<") { throw fault("no name before the address", "missingNameBeforeEmail") }
    index = endOfWord(index)
    guard head[index] != UInt8(ascii: ">") else { throw fault("a '>' in the name", "badName") }
    guard head[index] == UInt8(ascii: "<") else { throw fault("no address", "missingEmail") }
    guard head[index - 1] == UInt8(ascii: " ") else {
      throw fault("no space before the address", "missingSpaceBeforeEmail")
    }
    index = endOfWord(index + 1)
    guard head[index] == UInt8(ascii: ">") else { throw fault("an address without an end", "badEmail") }
    guard head[index + 1] == UInt8(ascii: " ") else {
      throw fault("no space before the time", "missingSpaceBeforeDate")
    }
    index += 2
    guard head[index] != UInt8(ascii: "0") || head[index + 1] == UInt8(ascii: " ") else {
      throw fault("a time padded with zeros", "zeroPaddedDate")
    }
    guard let end = try endOfTime(index, line), head[end] == UInt8(ascii: " ") else {
      throw fault("no readable time", "badDate")
    }
    guard isZone(end + 1) else { throw fault("no readable time zone", "badTimezone") }
  }

  private func endOfWord(_ start: Int) -> Int {
    var index = start
    while index < data.count, !"<>\n".utf8.contains(head[index]) { index += 1 }
    return index
  }

  /// Where the number at `start` ends, read as git does, by C's `strtoumax`: after white space and a sign; `nil`
  /// without digits. It must be less than 2^63.
  private func endOfTime(_ start: Int, _ line: String) throws(Fault) -> Int? {
    var index = start
    while head[index] == 0x20 || (0x09...0x0D).contains(head[index]) { index += 1 }
    let negative = head[index] == UInt8(ascii: "-")
    if negative || head[index] == UInt8(ascii: "+") { index += 1 }
    let digits = index
    var value: UInt64 = 0
    var overflows = false
    while (0x30...0x39).contains(head[index]) {
      let (product, high) = value.multipliedReportingOverflow(by: 10)
      let (sum, higher) = product.addingReportingOverflow(UInt64(head[index] & 0x0F))
      overflows = overflows || high || higher
      value = sum
      index += 1
    }
    guard index > digits else { return nil }
    if negative { value = 0 &- value }
    guard !overflows, value < 1 << 63 else {
      throw Fault("has a time beyond all clocks in its line '\(line)'", "badDateOverflow")
    }
    return index
  }

  private func isZone(_ start: Int) -> Bool {
    (head[start] == UInt8(ascii: "+") || head[start] == UInt8(ascii: "-"))
      && (1...4).allSatisfy { (0x30...0x39).contains(head[start + $0]) } && head[start + 5] == UInt8(ascii: "\n")
  }
}
