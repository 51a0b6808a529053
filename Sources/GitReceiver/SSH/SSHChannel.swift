import CSSH
import Glibc

/// The one channel of a connection that is in use: bytes in, bytes out on two streams, an exit status.
final class SSHChannel {
  enum Received { case bytes(Int), nothing, end }

  let connection: SSHConnection
  private let raw: ssh_channel
  /// The terminal's new size, until ``receive(into:resized:)`` has told it.
  private var newSize: (columns: UInt16, rows: UInt16)?
  private var isFull = false

  /// What libssh may keep of the client's bytes until we take them. Far more than the window it grants (1.25 MiB): who
  /// keeps to the window is never held up here, and who does not fills the socket, not our memory.
  private static let mostUnread: Int32 = 4 << 20

  /// A second thread may have taken from the socket what the first one is about to wait for: so long at most.
  static let longestWait: Duration = .milliseconds(100)

  /// Requests that are answered at once, before other work goes on: more than a few looks at the socket bring, so that
  /// none pile up, and not without end for a client that sends them without end.
  private static let mostRequests = 4096

  /// The channel lives as long as the connection: libssh frees it there, after the last message that names it.
  init(_ raw: ssh_channel, on connection: SSHConnection) {
    self.raw = raw
    self.connection = connection
  }

  /// The client still listens.
  var isOpen: Bool {
    connection.locked { connection.isConnected && ssh_channel_is_closed(raw) == 0 }
  }

  /// How much the client will take now (RFC 4254 section 5.2).
  var window: Int { connection.locked { Int(ssh_channel_window_size(raw)) } }

  /// Reads and writes what the socket has and takes now, without waiting, so that ``isOpen`` knows of a client that has
  /// left. For those who take nothing from the channel for long. While another thread waits for the socket it does so.
  func process(resized: (UInt16, UInt16) -> Void = { _, _ in }) {
    let size = connection.locked { () -> (columns: UInt16, rows: UInt16)? in
      guard connection.waiters == 0 else { return nil }
      answerAside()
      defer { newSize = nil }
      return newSize
    }
    if let size { resized(size.columns, size.rows) }
  }

  /// How many bytes of the client wait to be received.
  var unread: Int { connection.locked { Int(max(0, ssh_channel_poll(raw, 0))) } }

  /// Whether bytes in the socket were to be taken when it was last looked at. Who waits otherwise must not wait for
  /// them. Asks nothing of libssh, which would read, and then the wait would miss what it has read.
  var hasRoom: Bool { connection.locked { !isFull } }

  /// What has arrived, without waiting. Refuses requests that come in between, except a new terminal size.
  func receive(
    into buffer: UnsafeMutableRawBufferPointer, resized: (UInt16, UInt16) -> Void = { _, _ in }
  ) throws(SSHError) -> Received {
    let (count, size) = connection.locked {
      answerAside()
      defer { newSize = nil }
      return (ssh_channel_read_nonblocking(raw, buffer.baseAddress, UInt32(clamping: buffer.count), 0), newSize)
    }
    if let size { resized(size.columns, size.rows) }
    if count > 0 { return .bytes(Int(count)) }
    guard isOpen else { throw .clientGone }
    if count == SSH_EOF || connection.locked({ ssh_channel_is_eof(raw) }) != 0 { return .end }
    guard count == 0 else { throw .clientGone }
    return .nothing
  }

  /// Requests that come while this channel is in use are refused as they go, except a new terminal size. The caller
  /// holds the connection's lock.
  private func answerAside() {
    isFull = ssh_channel_poll(raw, 0) >= Self.mostUnread
    guard !isFull else { return }
    for _ in 0..<Self.mostRequests {
      guard let message = connection.nextMessage() else { return }
      if case .windowChange(let columns, let rows) = message.kind { newSize = (columns, rows) }
    }
  }

  /// Hands over what the client will take now; 0 when its window is closed.
  func send(_ bytes: UnsafeRawBufferPointer, toError: Bool) throws(SSHError) -> Int {
    guard isOpen else { throw .clientGone }
    let length = UInt32(min(bytes.count, 64 << 10))
    let count = connection.locked {
      // Who only writes for long must still answer: keep-alives of the client, and further channels, which it would
      // wait for without end.
      answerAside()
      return toError
        ? ssh_channel_write_stderr(raw, bytes.baseAddress, length) : ssh_channel_write(raw, bytes.baseAddress, length)
    }
    guard count >= 0 else { throw .clientGone }
    return Int(count)
  }

  /// Hands over everything, waiting for the client as long as it makes progress within `limit`.
  func sendAll(
    _ bytes: UnsafeRawBufferPointer, toError: Bool = false, limit: Duration = .seconds(1800)
  ) throws(SSHError) {
    var rest = bytes
    var deadline = ContinuousClock.now + limit
    while !rest.isEmpty {
      let count = try send(rest, toError: toError)
      if count > 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        deadline = .now + limit
      } else {
        guard ContinuousClock.now < deadline else { throw .timeout(step: "writing to the client") }
        _ = connection.wait(reading: hasRoom, until: min(deadline, .now + Self.longestWait))
      }
    }
  }

  /// Hands over all of it when the client's window has room for it, else nothing. Never waits.
  func offer(_ bytes: [UInt8], toError: Bool) throws(SSHError) -> Bool {
    // Takes what the client has said about its window.
    process()
    guard isOpen else { throw .clientGone }
    guard window >= bytes.count else { return false }
    var result = Result<Int, SSHError>.success(0)
    bytes.withUnsafeBytes { raw in
      do throws(SSHError) { result = .success(try send(raw, toError: toError)) } catch { result = .failure(error) }
    }
    let count = try result.get()
    // libssh sends what fits into the window whole, or nothing while keys are exchanged.
    guard count == 0 || count == bytes.count else { throw .timeout(step: "writing to the client") }
    return count > 0
  }

  func sendAll(_ text: String, toError: Bool = false) throws(SSHError) {
    let bytes = Array(text.utf8)
    var failure: SSHError?
    bytes.withUnsafeBytes { raw in
      do throws(SSHError) { try sendAll(raw, toError: toError) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// The client has given this channel up.
  var isClosed: Bool { connection.locked { ssh_channel_is_closed(raw) != 0 } }

  func close() { connection.locked { _ = ssh_channel_close(raw) } }

  /// Exit status, end of file, close, in this order and nothing after: a client that sees the connection go before
  /// its channel is closed prints "Connection closed by remote host".
  func finish(status: Int32) {
    connection.locked {
      ssh_channel_request_send_exit_status(raw, status)
      ssh_channel_send_eof(raw)
      ssh_channel_close(raw)
    }
  }
}
