import CGit2
import Glibc
import Platform

/// The refs that a client may see, as they stood at one moment.
struct UploadRefs {
  struct Ref {
    var name: [UInt8]
    var id: ObjectID
    /// What an annotated tag leads to.
    var peeled: ObjectID?
    /// The ref that a symbolic one stands for.
    var symbolic: [UInt8]?
  }

  /// What HEAD names, also when that does not exist yet.
  private(set) var headTarget: [UInt8]?
  private(set) var head: Ref?
  /// In the order of their names, HEAD left out.
  private(set) var refs: [Ref] = []
  /// The tips of hidden refs.
  private(set) var hidden: [ObjectID] = []

  /// Refs that name objects that are not there are left out, as git does; when `strict` they are an error.
  /// Throws ``GitError``.
  init(_ store: PackStore, settings: UploadSettings, strict: Bool = false) throws {
    let repository = store.repository
    for ref in try repository.allRefs() {
      guard let number = try store.number(of: ref.id) else {
        guard strict else { continue }
        throw GitError(.badObjects, "'\(shown(ref.name))' names \(ref.id), which is missing")
      }
      if settings.hides(ref.name) {
        hidden.append(ref.id)
        continue
      }
      var ref = ref
      if ref.peeled == nil, try store.kind(of: number) == .tag { ref.peeled = store.id(of: try store.peel(number)) }
      refs.append(ref)
    }
    refs.sort { $0.name.lexicographicallyPrecedes($1.name) }
    let found = try repository.head()
    headTarget = found.target
    if let id = found.id, try store.contains(id), !settings.hides(Array("HEAD".utf8)) {
      head = Ref(name: Array("HEAD".utf8), id: id, peeled: nil, symbolic: found.target)
    }
  }

  /// HEAD, if it leads anywhere, then the others.
  var all: [Ref] { (head.map { [$0] } ?? []) + refs }

  /// What `name` means to `git rev-parse` among these refs. Throws ``GitError`` unless that is exactly one.
  func expand(_ name: String) throws(GitError) -> ObjectID {
    let forms = ["\(name)", "refs/\(name)", "refs/tags/\(name)", "refs/heads/\(name)", "refs/remotes/\(name)"]
    let found = all.filter { forms.contains(String(decoding: $0.name, as: UTF8.self)) }
    guard let first = found.first, found.count == 1 else {
      throw GitError(.protocolBroken, "git upload-pack: ambiguous deepen-not: \(printable(name))")
    }
    return first.id
  }
}

extension Repository {
  /// Every ref, symbolic ones resolved; names as bytes. Throws ``GitError``.
  fileprivate func allRefs() throws(GitError) -> [UploadRefs.Ref] {
    var iterator: OpaquePointer?
    try git("list the refs of '\(path)'") { git_reference_iterator_new(&iterator, handle) }
    defer { git_reference_iterator_free(iterator) }
    var refs: [UploadRefs.Ref] = []
    while true {
      var reference: OpaquePointer?
      var isDone = false
      try git("list the refs of '\(path)'") {
        let code = git_reference_next(&reference, iterator)
        isDone = code == GIT_ITEROVER.rawValue
        return isDone ? 0 : code
      }
      if isDone { return refs }
      defer { git_reference_free(reference) }
      if let ref = read(reference) { refs.append(ref) }
    }
  }

  /// `nil` when a symbolic ref leads nowhere.
  private func read(_ reference: OpaquePointer?) -> UploadRefs.Ref? {
    guard let name = git_reference_name(reference) else { return nil }
    var ref = UploadRefs.Ref(name: Self.bytes(name), id: ObjectID([]))
    if let target = git_reference_target(reference) {
      ref.id = ObjectID(target.pointee)
      ref.peeled = git_reference_target_peel(reference).map { ObjectID($0.pointee) }
      return ref
    }
    var resolved: OpaquePointer?
    defer { git_reference_free(resolved) }
    guard git_reference_resolve(&resolved, reference) == 0, let target = git_reference_target(resolved) else {
      git_error_clear()
      return nil
    }
    ref.id = ObjectID(target.pointee)
    ref.symbolic = git_reference_symbolic_target(reference).map { Self.bytes($0) }
    return ref
  }

  /// Where HEAD points, and the commit, if there is one.
  fileprivate func head() throws(GitError) -> (target: [UInt8]?, id: ObjectID?) {
    var reference: OpaquePointer?
    guard try gitFound("read HEAD of '\(path)'", { git_reference_lookup(&reference, handle, "HEAD") }) else {
      return (nil, nil)
    }
    defer { git_reference_free(reference) }
    return (git_reference_symbolic_target(reference).map { Self.bytes($0) }, read(reference)?.id)
  }

  private static func bytes(_ name: UnsafePointer<CChar>) -> [UInt8] {
    UnsafeRawBufferPointer(start: name, count: strlen(name)).map { $0 }
  }
}
