import FoundationEssentials
import Glibc
import Hummingbird
import HummingbirdCore
import Linux
import NIOCore
import Platform
import Synchronization
import Wire

/// The records that a client of `run` sends.
/// `@unchecked Sendable`: handed from the route to the one task that reads on; Hummingbird's body can be read once.
struct InputRecords: @unchecked Sendable {
  private var body: RequestBody.AsyncIterator
  private var parser = StreamRecordParser()

  init(_ body: RequestBody) { self.body = body.makeAsyncIterator() }

  /// `nil` when the body has ended, or the client has gone.
  mutating func next() async throws -> StreamRecord? {
    while true {
      if let record = try parser.next() { return record }
      guard let bytes = try await body.next() else { return nil }
      parser.append(bytes.readableBytesView)
    }
  }

  /// The first record: a `stdout` record with a ``RunRequest``.
  mutating func runRequest() async throws -> RunRequest {
    guard let first = try await next(), first.kind == .stdout else {
      throw APIError.badRequest("the first record must be the request")
    }
    do {
      return try Wire.decode(RunRequest.self, from: Data(first.payload))
    } catch is DecodingError {
      throw APIError.badRequest("the first record is not the JSON of a run request")
    }
  }
}

/// One `paas run`: bytes between the client and a process, both ways at once, until the process ends.
struct RunSession: Sendable {
  private let process: any RunningOneOff
  private let input: InputRecords
  /// Closed by the client's word, by its leaving or by the end, whichever comes first.
  private let stdin: ClosingDescriptor

  init(process: any RunningOneOff, input: InputRecords) {
    self.process = process
    self.input = input
    stdin = ClosingDescriptor(process.input)
  }

  /// A client that goes hangs up: SIGHUP, and SIGKILL when that is not enough.
  func serve(_ writer: RecordWriter) async throws {
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await forwardInput() }
        defer { group.cancelAll() }
        try await forwardOutput(to: writer)
        let status = await process.exitStatus()
        try await writer.write(.exit(Int32(clamping: status)))
      }
      closeAll()
    } catch {
      await hangUp()
      closeAll()
      throw error
    }
  }

  private func forwardInput() async throws {
    var input = input
    var isClosed = false
    while let record = try await input.next() {
      switch record.kind {
      case .stdin: await stdin.write(record.payload)
      case .stdinClosed:
        isClosed = true
        stdin.close()
      case .resize:
        guard record.payload.count == 4 else { continue }
        let numbers = record.payload.map(UInt16.init)
        process.resize(TerminalSize(columns: numbers[0] << 8 | numbers[1], rows: numbers[2] << 8 | numbers[3]))
      case .signal: if let number = record.payload.first { process.signal(Int32(number)) }
      case .stdout, .stderr, .progress, .keepAlive, .exit: continue
      }
    }
    stdin.close()
    if !isClosed, !Task.isCancelled { process.signal(SIGHUP) }
  }

  private func forwardOutput(to writer: RecordWriter) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await forward(process.output, as: .stdout, to: writer) }
      if let errors = process.errors { group.addTask { try await forward(errors, as: .stderr, to: writer) } }
      try await group.waitForAll()
    }
  }

  private func forward(_ descriptor: Int32, as kind: StreamRecord.Kind, to writer: RecordWriter) async throws {
    while true {
      let bytes = await blocking { readSome(descriptor) }
      if bytes.isEmpty { return }
      try await writer.write(kind, bytes)
    }
  }

  private func hangUp() async {
    process.signal(SIGHUP)
    let process = process
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = await process.exitStatus() }
      group.addTask {
        // Cancelled when the process has ended by itself.
        do { try await Task.sleep(for: .seconds(5)) } catch { return }
        process.signal(SIGKILL)
      }
      await group.next()
      group.cancelAll()
    }
  }

  private func closeAll() {
    stdin.close()
    close(process.output)
    if let errors = process.errors { close(errors) }
  }
}

/// Up to 64 KiB; empty at end of file. A terminal whose other side has gone answers EIO, which is its end of file.
private func readSome(_ descriptor: Int32) -> [UInt8] {
  var buffer = [UInt8](repeating: 0, count: 64 << 10)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    if count >= 0 { return Array(buffer[0..<count]) }
    if errno != EINTR { return [] }
  }
}

/// A descriptor that is written by one task and closed once, after a write that is going on.
private final class ClosingDescriptor: Sendable {
  private struct State {
    var isWriting = false
    var isClosed = false
  }
  private let descriptor: Int32
  private let state = Mutex(State())

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// What nobody reads any more is dropped: the process has closed its input, or ended.
  func write(_ bytes: [UInt8]) async {
    let closed = state.withLock { state in
      state.isWriting = !state.isClosed
      return state.isClosed
    }
    if closed { return }
    await blocking { [descriptor] in
      do throws(SystemError) { try Files.writeAll(bytes, to: descriptor, name: "standard input") } catch {}
    }
    let closeNow = state.withLock { state in
      state.isWriting = false
      return state.isClosed
    }
    if closeNow { Glibc.close(descriptor) }
  }

  func close() {
    let closeNow = state.withLock { state in
      let free = !state.isClosed && !state.isWriting
      state.isClosed = true
      return free
    }
    if closeNow { Glibc.close(descriptor) }
  }
}
