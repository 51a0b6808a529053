/// An SSH channel as git's driver sees it.
final class ChannelTransport: GitTransport {
  private let channel: SSHChannel
  /// A client may compress for long before it sends; one that says nothing for this long has gone.
  private let idleLimit: Duration

  init(_ channel: SSHChannel, idleLimit: Duration = .seconds(1800)) {
    self.channel = channel
    self.idleLimit = idleLimit
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let deadline = ContinuousClock.now + idleLimit
    while true {
      switch try channel.receive(into: buffer) {
      case .bytes(let count): return count
      case .end: return 0
      case .nothing:
        guard ContinuousClock.now < deadline else { throw SSHError.timeout(step: "reading from the client") }
        _ = channel.connection.wait(until: min(deadline, .now + SSHChannel.longestWait))
      }
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws { try channel.sendAll(bytes) }

  func writeError(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try channel.sendAll($0, toError: true) }
  }

  func offer(_ bytes: [UInt8], toError: Bool) throws -> Bool { try channel.offer(bytes, toError: toError) }

  /// Asks the socket: libssh alone does not know that a client has left before somebody reads.
  var isClosed: Bool {
    channel.process()
    return !channel.isOpen
  }
}
