/// Everything between the end of the negotiation and the last byte of the pack.
struct UploadPackfile {
  let graph: CommitGraph
  let request: UploadRequest
  let wants: [ObjectNumber]
  let extraWants: [CommitGraph.Node]
  let common: [ObjectNumber]
  let tags: [UploadRefs.Ref]
  let output: UploadOutput

  /// Sends the pack. Throws ``GitError`` when an object is missing or damaged; the client has been told then.
  func send() throws {
    do {
      let progress = UploadProgress(output, isQuiet: request.noProgress)
      let selection = try select(progress)
      try progress.found(selection.count)
      var writer = PackWriter(
        selection, to: output.sink(),
        options: PackWriter.Options(offsetDeltas: request.offsetDeltas, thin: request.isThin))
      _ = try writer.write()
      try progress.sent(writer.statistics)
    } catch let error as GitError {
      try output.progress("fatal: \(oneLine(error.message))\n")
      try output.failure("aborting due to possible repository corruption on the remote side.")
      throw error
    }
    if output.bands != .none { try output.flushPacket() }
  }

  private func select(_ progress: UploadProgress) throws -> ObjectSelection {
    let selection = ObjectSelection(graph.store, filter: request.filter) { try progress.tick($0) }
    let closure = ObjectClosure(graph: graph, selection: selection)
    try closure.insert(wants, commits: extraWants, without: common) { try progress.tick(selection.count) }
    if request.includeTags { try includeTags(selection, closure) }
    return selection
  }

  /// A tag of something that is sent is sent too (gitprotocol-capabilities(5), "include-tag").
  private func includeTags(_ selection: ObjectSelection, _ closure: ObjectClosure) throws {
    for tag in tags {
      guard let peeled = tag.peeled, let target = try graph.store.number(of: peeled), selection.contains(target),
        let number = try graph.store.number(of: tag.id)
      else { continue }
      _ = try closure.insertTags(number)
    }
  }
}

/// Tells the client how it goes on, in the words of git's pack-objects.
final class UploadProgress {
  private let output: UploadOutput
  private let isQuiet: Bool
  private var calls = 0
  private var last = ContinuousClock.now

  init(_ output: UploadOutput, isQuiet: Bool) {
    self.output = output
    self.isQuiet = isQuiet
  }

  /// Called very often; says something once a second.
  func tick(_ found: Int) throws {
    calls &+= 1
    guard calls & 0x3FF == 0 else { return }
    let now = ContinuousClock.now
    guard now - last > .seconds(1) else { return }
    last = now
    if isQuiet { try output.keepAlive() } else { try output.progress("Enumerating objects: \(found)\r") }
  }

  func found(_ count: Int) throws {
    guard !isQuiet else { return }
    if count > 0 {
      try output.progress("Enumerating objects: \(count), done.\n")
      try output.progress("Counting objects: 100% (\(count)/\(count)), done.\n")
    }
  }

  func sent(_ result: PackWriter.Statistics) throws {
    guard !isQuiet else { return }
    try output.progress(
      "Total \(result.objects) (delta \(result.deltas)), reused \(result.reused) (delta \(result.reusedDeltas)), "
        + "pack-reused 0\n")
  }
}
