import Glibc
import Linux
import Synchronization

/// Writes to the client: build output and notes while the push runs, the report at its end. With side band
/// (gitprotocol-capabilities(5), "side-band-64k") both share the stream; without it notes go to standard error.
/// A client that has gone is no error here: the push goes on, and ``isGone`` says so.
final class SideBand: @unchecked Sendable {  // everything mutable, and the transport, is behind `lock`
  private struct State {
    var gone = false
    var ended = false
    var quietSince = ContinuousClock.now
  }

  private let transport: any GitTransport
  private let multiplexed: Bool
  private let reports: Bool
  private let lock = Mutex(State())

  static let keepAliveInterval: Duration = .seconds(5)
  private static let maximumPiece = PktLine.maximumData - 1

  /// `reports`: the client has asked for a report.
  init(_ transport: any GitTransport, multiplexed: Bool, reports: Bool = true) {
    self.transport = transport
    self.multiplexed = multiplexed
    self.reports = reports
  }

  /// The client has gone, as far as we know. Waits for nobody who writes to it just now: the writer will find out.
  var isGone: Bool { lock.withLockIfAvailable { $0.gone || transport.isClosed } ?? false }

  /// Text for the person who pushes. git shows it line by line after `remote: `.
  func progress(_ bytes: some Collection<UInt8>) {
    guard !bytes.isEmpty else { return }
    send { [self] in
      guard multiplexed else { return try transport.writeError(Array(bytes)) }
      try band(2, bytes)
    }
  }

  func progress(_ text: String) { progress(text.utf8) }

  /// As ``progress(_:)``, but left out when the client would have to be waited for: for those whom others wait for.
  func note(_ text: String) {
    _ = lock.withLockIfAvailable { state in
      guard !state.gone, !state.ended else { return }
      let bytes = Array(text.utf8.prefix(Self.maximumPiece))
      do {
        guard try transport.offer(multiplexed ? PktLine.encode([2] + bytes) : bytes, toError: !multiplexed) else {
          return
        }
        state.quietSince = .now
      } catch {
        state.gone = true
      }
    }
  }

  /// The report, for a client that wants one. Text may still follow it.
  func report(_ bytes: [UInt8]) {
    guard reports else { return }
    send { [self] in
      guard multiplexed else { return try write(bytes) }
      try band(1, bytes)
    }
  }

  /// The end of the stream.
  func end() {
    send { [self] in if multiplexed { try write(PktLine.flushBytes) } }
    lock.withLock { $0.ended = true }
  }

  /// Says every five seconds of silence that we live, until the report, so that nothing between us and the client
  /// takes the connection for dead. Runs on a thread of its own.
  func startKeepAlive(interval: Duration = keepAliveInterval) {
    guard multiplexed else { return }
    let caller = pthread_self()
    startThread { [weak self] in
      // Without a thread to give, the system runs this here; then there are no keep-alives.
      guard pthread_equal(caller, pthread_self()) == 0 else { return }
      while let self, self.keepAlive(interval) { usleep(200_000) }
    }
  }

  private func keepAlive(_ interval: Duration) -> Bool {
    lock.withLock { state in
      guard !state.gone, !state.ended else { return false }
      guard ContinuousClock.now - state.quietSince >= interval else { return true }
      state.quietSince = .now
      do { try band(2, []) } catch { state.gone = true }
      return !state.gone
    }
  }

  private func send(_ body: () throws -> Void) {
    lock.withLock { state in
      guard !state.gone, !state.ended else { return }
      state.quietSince = .now
      do { try body() } catch { state.gone = true }
    }
  }

  private func band(_ number: UInt8, _ bytes: some Collection<UInt8>) throws {
    var rest = Array(bytes)[...]
    repeat {
      try write(PktLine.encode([number] + rest.prefix(Self.maximumPiece)))
      rest = rest.dropFirst(Self.maximumPiece)
    } while !rest.isEmpty
  }

  private func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try transport.write($0) }
  }
}
