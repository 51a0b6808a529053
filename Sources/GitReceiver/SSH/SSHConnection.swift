import CSSH
import Glibc

/// One SSH connection. libssh never blocks here: every wait is our own poll(2), so that other descriptors and
/// deadlines count too. Belongs to its session's thread; a push may write from a second thread (keep-alives), so each
/// call into libssh takes the lock, and no wait holds it.
final class SSHConnection {
  let session: ssh_session
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  /// The socket has hung up while libssh was not to read it.
  private var hungUp = false
  /// Threads that wait for the socket now. Whatever comes wakes them, and must be left to them. Behind the lock.
  private(set) var waiters = 0

  init(owning session: ssh_session) {
    self.session = session
    pthread_mutex_init(lock, nil)
  }

  deinit {
    ssh_free(session)
    pthread_mutex_destroy(lock)
    lock.deallocate()
  }

  func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return body()
  }

  var isConnected: Bool {
    !hungUp && ssh_is_connected(session) != 0 && ssh_get_status(session) & SSH_CLOSED_ERROR == 0
  }

  /// Waits for the socket, or for one of `others` (their `revents` are filled in), or for the deadline.
  /// Returns false when the deadline came first, and at once when the connection is over: libssh has closed the socket
  /// then, and nothing would ever wake us. Not `reading`: bytes that arrive stay in the socket and wake nobody; only
  /// its end does.
  @discardableResult
  func wait(_ others: inout [pollfd], reading: Bool = true, until deadline: ContinuousClock.Instant?) -> Bool {
    let socket = locked { () -> pollfd? in
      guard isConnected else { return nil }
      waiters += 1
      let pending = ssh_get_poll_flags(session) & SSH_WRITE_PENDING != 0
      let wanted = (reading ? POLLIN : Self.peerClosed) | (pending ? POLLOUT : 0)
      return pollfd(fd: ssh_get_fd(session), events: Int16(wanted), revents: 0)
    }
    guard let socket else { return true }
    defer { locked { waiters -= 1 } }
    var set = [socket] + others
    let count = poll(&set, nfds_t(set.count), milliseconds(until: deadline))
    for index in others.indices { others[index].revents = count > 0 ? set[index + 1].revents : 0 }
    if !reading, count > 0, Int32(set[0].revents) & (POLLHUP | POLLERR | POLLNVAL | Self.peerClosed) != 0 {
      locked { hungUp = true }
    }
    return count != 0
  }

  func wait(reading: Bool = true, until deadline: ContinuousClock.Instant?) -> Bool {
    var none: [pollfd] = []
    return wait(&none, reading: reading, until: deadline)
  }

  /// POLLRDHUP, which Swift's Glibc hides.
  private static let peerClosed: Int32 = 0x2000

  /// The next request of the client that is already here, `nil` when there is none. Also sends and receives whatever
  /// can go without waiting.
  func nextMessage() -> SSHMessage? {
    ssh_message_get(session).map(SSHMessage.init(owning:))
  }

  /// The next request; throws ``SSHError/timeout(step:)`` and ``SSHError/clientGone``. `heard` is called whenever
  /// something has arrived that is no request.
  func message(
    until deadline: ContinuousClock.Instant, step: String, heard: () -> Void = {}
  ) throws(SSHError) -> SSHMessage {
    while true {
      if let message = nextMessage() { return message }
      heard()
      guard isConnected else { throw .clientGone }
      guard ContinuousClock.now < deadline else { throw .timeout(step: step) }
      _ = wait(until: deadline)
    }
  }

  /// Runs the key exchange.
  func exchangeKeys(until deadline: ContinuousClock.Instant) throws(SSHError) {
    while true {
      switch ssh_handle_key_exchange(session) {
      case SSH_OK: return
      case SSH_AGAIN:
        guard ContinuousClock.now < deadline else { throw .timeout(step: "login") }
        _ = wait(until: deadline)
      default: throw .keyExchange(reason: SSHError.reason(UnsafeMutableRawPointer(session)))
      }
    }
  }

  /// Text that ssh shows before the login has succeeded.
  func sendBanner(_ text: String) {
    guard let string = ssh_string_from_char(text) else { return }
    ssh_send_issue_banner(session, string)
    ssh_string_free(string)
  }

  /// Says goodbye and closes the socket.
  func disconnect() {
    ssh_disconnect(session)
  }
}

/// For poll(2): rounded up, -1 without a deadline.
func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
  guard let deadline else { return -1 }
  let left = (deadline - .now).components
  guard left.seconds >= 0, left.attoseconds >= 0 else { return 0 }
  return Int32(clamping: left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1)
}
