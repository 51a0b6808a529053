import Glibc

/// Moves bytes between an SSH channel and a command's child until the child has ended and all it wrote is sent.
/// Neither side can stall the other: a full pipe or a closed window only stops its own direction.
final class CommandRelay {
  private let channel: SSHChannel
  private let child: CommandChild
  /// What the client sent and the child has not taken yet.
  private var pending: ArraySlice<UInt8> = []
  private var inputEnded = false

  init(_ channel: SSHChannel, _ child: CommandChild) {
    self.channel = channel
    self.child = child
  }

  /// Returns the child's exit status; throws ``SSHError/clientGone`` after it has ended the child.
  func run() throws(SSHError) -> Int32 {
    do throws(SSHError) {
      // What a grandchild keeps open is not waited for: after the child's end, a second of silence is the end.
      var deadline: ContinuousClock.Instant?
      while true {
        // Asked for here, not only where bytes move: after the client's end of file none do.
        guard channel.isOpen else { throw .clientGone }
        child.reap()
        let fed = try feed()
        let drained = try drain()
        if let status = child.exitStatus {
          if child.output < 0, child.error < 0 { return status }
          if drained || deadline == nil { deadline = .now + .seconds(1) }
          if let deadline, ContinuousClock.now >= deadline { return status }
        }
        if !fed, !drained { wait(until: deadline) }
      }
    } catch {
      child.end()
      throw error
    }
  }

  private func wait(until deadline: ContinuousClock.Instant?) {
    var others = [child.endPoll]
    if !pending.isEmpty, child.input >= 0 { others.append(pollfd(fd: child.input, events: Int16(POLLOUT), revents: 0)) }
    if channel.window > 0 {
      for descriptor in [child.output, child.error] where descriptor >= 0 {
        others.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
      }
    }
    channel.connection.wait(&others, reading: channel.hasRoom, until: deadline)
  }

  /// Client → child. Returns whether anything moved.
  private func feed() throws(SSHError) -> Bool {
    var moved = false
    // A child that does not read must not keep us from the socket: a client that leaves would never be noticed, and
    // its bytes would wake us again and again.
    if !pending.isEmpty {
      channel.process(resized: child.resize(columns:rows:))
      guard channel.isOpen else { throw .clientGone }
    }
    if pending.isEmpty {
      // All that is there, at once: libssh opens its window again at each read, however much is left.
      var buffer = [UInt8](repeating: 0, count: max(4096, channel.unread))
      switch try receive(into: &buffer) {
      case .bytes(let count):
        moved = true
        // A child that reads no more has its input thrown away, so that the client can finish.
        if child.input >= 0 { pending = buffer[..<count] }
      case .end where !inputEnded:
        inputEnded = true
        if child.hasTerminal { pending = [4] } else { child.closeInput() }  // 4: end of file, typed
      case .end, .nothing: break
      }
    }
    guard !pending.isEmpty, child.input >= 0 else {
      pending = []
      return moved
    }
    let count = pending.withUnsafeBytes { write(child.input, $0.baseAddress, $0.count) }
    if count > 0 {
      pending = pending.dropFirst(count)
      return true
    }
    if count < 0, errno != EAGAIN, errno != EINTR {
      child.closeInput()
      pending = []
    }
    return moved
  }

  private func receive(into buffer: inout [UInt8]) throws(SSHError) -> SSHChannel.Received {
    var failure: SSHError?
    let received = buffer.withUnsafeMutableBytes { raw -> SSHChannel.Received in
      do throws(SSHError) {
        return try channel.receive(into: raw, resized: child.resize(columns:rows:))
      } catch {
        failure = error
        return .nothing
      }
    }
    if let failure { throw failure }
    return received
  }

  /// Child → client. Returns whether anything moved.
  private func drain() throws(SSHError) -> Bool {
    let output = try drain(child.output, toError: false, close: child.closeOutput)
    let error = try drain(child.error, toError: true, close: child.closeError)
    return output || error
  }

  private func drain(_ descriptor: Int32, toError: Bool, close: () -> Void) throws(SSHError) -> Bool {
    guard descriptor >= 0 else { return false }
    let room = min(channel.window, 32 << 10)
    guard room > 0 else { return false }
    var bytes = [UInt8](repeating: 0, count: room)
    let count = read(descriptor, &bytes, room)
    if count > 0 {
      var failure: SSHError?
      bytes.withUnsafeBytes { raw in
        do throws(SSHError) {
          try channel.sendAll(UnsafeRawBufferPointer(rebasing: raw[..<count]), toError: toError)
        } catch { failure = error }
      }
      if let failure { throw failure }
      return true
    }
    // EIO: nobody holds the other side of the terminal any more.
    if count == 0 || (errno != EAGAIN && errno != EINTR) { close() }
    return count == 0
  }
}
