internal import FoundationEssentials
internal import Glibc
internal import Linux

/// The server's ends of everything that goes into the build worker and comes out of it. Each method blocks until its
/// stream ends, which it does at the latest with the sandbox.
final class WorkerPipes: Sendable {
  let source: Int32
  let output: Pipe
  let errors: Pipe
  let summary: Pipe
  let slug: Pipe
  let order: Pipe

  init(source path: String) throws {
    output = try Pipe()
    errors = try Pipe()
    summary = try Pipe()
    slug = try Pipe()
    order = try Pipe()
    source = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
  }

  deinit { close(source) }

  func closeChildEnds() {
    for pipe in [output, errors, summary, slug] { pipe.closeWriteEnd() }
    order.closeReadEnd()
  }

  /// A worker that ends before it has read its order is no error here: its end tells.
  func send(_ message: WorkerOrder) {
    blockBrokenPipeSignal()
    _ = try? Message.write(message, to: order.writeEnd, name: "order")
    order.closeWriteEnd()
  }

  /// Returns the last lines.
  func passOutput(limit: Int, to sink: @Sendable ([UInt8]) -> Void) -> [String] {
    var text = BuildOutput(limit: limit)
    // A pipe of our own can only end; then the lines so far are what there is.
    _ = try? readChunks(output.readEnd) { chunk in
      let bytes = text.take(chunk)
      if !bytes.isEmpty { sink(bytes) }
    }
    return text.lastLines
  }

  func readErrors() -> [String] {
    var text = BuildOutput(limit: 0)
    _ = try? readChunks(errors.readEnd) { _ = text.take($0) }  // as above
    return text.lastLines
  }

  func readSummary() throws -> WorkerSummary {
    try Message.read(WorkerSummary.self, from: summary.readEnd, limit: WorkerSummary.sizeLimit)
  }

  /// For this thread, which ends with the write: a reader that is gone is EPIPE, not the end of the server.
  private func blockBrokenPipeSignal() {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }
}
