import NIOCore

/// Two sockets that became one after `101 Switching Protocols`: bytes both ways with back-pressure, each direction
/// ended on its own, until both have ended or nothing has moved for a while.
extension Exchange {
  /// The head of the 101 is written; what came behind it belongs to the tunnel.
  func openTunnel(_ rest: inout ByteBuffer) {
    isTunnel = true
    status = 101
    upstream?.backend.tunnelOpened()
    upstream?.backend.succeeded()
    client?.becomeTunnel()
    awaitBytes()
    if rest.readableBytes > 0 {
      let piece = rest
      rest = ByteBuffer()
      tunnelBytes(piece, fromClient: false)
    }
    guard !isOver else { return }
    client?.flush()
    connection?.flush()
    connection?.read()
    client?.readIfWanted()
    if client?.inputEnded == true { tunnelEnded(fromClient: true) }
  }

  func tunnelBytes(_ buffer: ByteBuffer, fromClient: Bool) {
    guard !isOver else { return }
    awaitBytes()
    if fromClient {
      bytesIn &+= buffer.readableBytes
      connection?.write(buffer)
    } else {
      bytesOut &+= buffer.readableBytes
      client?.write(buffer)
    }
  }

  /// More would be taken from this side.
  func tunnelTakes(fromClient: Bool) -> Bool {
    guard !isOver else { return false }
    return fromClient ? connection?.isWritable ?? false : client?.isWritable ?? false
  }

  /// One side will send nothing more; the other may.
  func tunnelEnded(fromClient: Bool) {
    guard !isOver else { return }
    if fromClient { clientEnded = true } else { upstreamHasEnded = true }
    if clientEnded, upstreamHasEnded { return closeTunnel() }
    if fromClient {
      connection?.flush()
      connection?.endOutput()
    } else {
      client?.flush()
      client?.endOutput()
    }
  }

  /// Both directions have ended, or a side is gone, or nothing has moved for too long. What was taken from one side
  /// still leaves to the other.
  func closeTunnel() {
    upstream?.backend.tunnelClosed()
    connection?.closeAfterFlush()
    connection = nil
    end(nil) { $0.closeTunnel() }
  }
}

extension ClientConnection {
  func becomeTunnel() {
    state = .tunnelling
    guard inbox.readableBytes > 0 else { return }
    let early = inbox
    inbox = ByteBuffer()
    exchange?.tunnelBytes(early, fromClient: true)
  }

  func endOutput() { context?.close(mode: .output, promise: nil) }

  func closeTunnel() {
    exchange = nil
    guard !isClosed else { return }
    state = .closed
    expect(.cut, worker.times.idle)
    closeAfterFlush()
  }
}
