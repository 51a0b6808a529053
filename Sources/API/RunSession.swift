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
  private let owner: Owner

  init(process: any RunningOneOff, input: InputRecords) {
    self.process = process
    self.input = input
    stdin = ClosingDescriptor(process.input)
    owner = Owner(process: process, stdin: stdin)
  }

  /// Ends a process whose session is dropped before it is served: the client went before the response began.
  private final class Owner: Sendable {
    private let process: any RunningOneOff
    private let stdin: ClosingDescriptor
    private let isServed = Mutex(false)

    init(process: any RunningOneOff, stdin: ClosingDescriptor) {
      self.process = process
      self.stdin = stdin
    }

    func serve() { isServed.withLock { $0 = true } }

    deinit {
      if isServed.withLock({ $0 }) { return }
      let (process, stdin) = (process, stdin)
      Task {
        await RunSession.hangUp(process, Task { await process.exitStatus() })
        RunSession.close(process, stdin)
      }
    }
  }

  /// A client that goes hangs up, and so does a server that stops: SIGHUP, and SIGKILL when that is not enough.
  func serve(_ writer: RecordWriter) async throws {
    owner.serve()
    // One task waits for the end: an exit status is had once.
    let exit = Task { await process.exitStatus() }
    defer { Self.close(process, stdin) }
    try await withTaskCancellationHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await forwardInput(until: exit) }
        defer { group.cancelAll() }
        try await forwardOutput(to: writer, until: exit)
        try await writer.write(.exit(Int32(clamping: await exit.value)))
      }
    } onCancel: {
      Task { await hangUp(exit) }
    }
  }

  private func forwardInput(until exit: Task<Int, Never>) async {
    var hasEnded = false
    do {
      var input = input
      while let record = try await input.next() {
        if record.kind == .stdinClosed { hasEnded = true }
        await take(record)
      }
    } catch {
      // The connection broke, or sent what is no record.
      hasEnded = false
    }
    stdin.close()
    if !hasEnded, !Task.isCancelled { await hangUp(exit) }
  }

  private func take(_ record: StreamRecord) async {
    switch record.kind {
    case .stdin: await stdin.write(record.payload)
    case .stdinClosed: stdin.close()
    case .resize:
      guard record.payload.count == 4 else { return }
      let numbers = record.payload.map(UInt16.init)
      process.resize(TerminalSize(columns: numbers[0] << 8 | numbers[1], rows: numbers[2] << 8 | numbers[3]))
    case .signal: if let number = record.payload.first { process.signal(Int32(number)) }
    case .stdout, .stderr, .progress, .keepAlive, .exit: break
    }
  }

  private func forwardOutput(to writer: RecordWriter, until exit: Task<Int, Never>) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await forward(process.output, as: .stdout, to: writer, until: exit) }
      if let errors = process.errors {
        group.addTask { try await forward(errors, as: .stderr, to: writer, until: exit) }
      }
      try await group.waitForAll()
    }
  }

  private func forward(
    _ descriptor: Int32, as kind: StreamRecord.Kind, to writer: RecordWriter, until exit: Task<Int, Never>
  ) async throws {
    while true {
      let bytes = await blocking { readSome(descriptor) }
      if bytes.isEmpty { return }
      do {
        try await writer.write(kind, bytes)
      } catch {
        // Without this the other descriptor would be read until the process ends by itself.
        await hangUp(exit)
        throw error
      }
    }
  }

  private func hangUp(_ exit: Task<Int, Never>) async { await Self.hangUp(process, exit) }

  private static func hangUp(_ process: any RunningOneOff, _ exit: Task<Int, Never>) async {
    process.signal(SIGHUP)
    let killer = Task {
      do { try await Task.sleep(for: .seconds(5)) } catch { return }
      process.signal(SIGKILL)
    }
    _ = await exit.value
    killer.cancel()
  }

  private static func close(_ process: any RunningOneOff, _ stdin: ClosingDescriptor) {
    stdin.close()
    Glibc.close(process.output)
    if let errors = process.errors { Glibc.close(errors) }
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
