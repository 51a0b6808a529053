import CLinux
import CSSH
import Glibc
import Linux
import Logging
import Synchronization

/// The SSH server on a listening socket that somebody else has bound: one thread accepts, one serves each connection.
final class SSHServer: Sendable {
  private struct Connection {
    /// A duplicate of the socket, so that another thread can shut it down without racing its close.
    let socket: Int32
    let source: String
    /// `nil` until it has logged in.
    var fingerprint: String?
    /// It was told to end, to make room for another.
    var hasGivenWay = false
  }

  private struct State {
    var limits: ConnectionLimits
    var connections: [Int: Connection] = [:]
    var last = 0
    var stopped = false

    /// Counts a new connection, or says why it is refused. Where too many log in, one of them ends instead.
    mutating func admit(_ source: String, _ logger: Logger) -> ConnectionLimits.Refusal? {
      if stopped { return .total }
      let refusal = limits.admit(source, at: .now)
      guard refusal == .unauthenticated, let id = longestWaiting, let given = connections[id] else { return refusal }
      connections[id]?.hasGivenWay = true
      limits.gaveWay(given.source)
      shutdown(given.socket, Int32(SHUT_RDWR))
      logger.warning("ssh connection gave way to another", metadata: ["source": "\(given.source)"])
      return limits.admit(source, at: .now)
    }

    private var longestWaiting: Int? {
      ConnectionLimits.givesWay(
        connections.compactMap { id, connection in
          guard connection.fingerprint == nil, !connection.hasGivenWay else { return nil }
          return ConnectionLimits.Waiting(id: id, source: connection.source)
        })
    }
  }

  private let state: Mutex<State>
  private let listenDescriptor: Int32
  private let keys: HostKeys
  private let context: SSHSession.Context
  private let logger: Logger
  private let stopPipe: (read: Int32, write: Int32)

  /// Makes missing host keys. Throws ``SSHError`` and ``SystemError``.
  init(
    listenDescriptor: Int32, hostKeyDirectory: String, context: SSHSession.Context, logger: Logger
  ) throws {
    guard ssh_init() == SSH_OK else { throw SSHError.library(action: "start libssh", reason: "it does not say") }
    signal(SIGPIPE, SIG_IGN)  // a client or child that has gone is an error code, not our end
    self.listenDescriptor = listenDescriptor
    self.context = context
    self.logger = logger
    keys = try HostKeys(directory: hostKeyDirectory)
    for fingerprint in keys.fingerprints { logger.info("ssh host key", metadata: ["fingerprint": "\(fingerprint)"]) }
    for path in keys.exposed {
      logger.error("ssh host key was readable by others, and is closed now", metadata: ["path": "\(path)"])
    }
    state = Mutex(State(limits: ConnectionLimits(context.limits)))
    stopPipe = try pipe()
  }

  deinit {
    close(stopPipe.read)
    close(stopPipe.write)
  }

  /// Accepts on a thread of its own until ``stop()``.
  func start() throws {
    _ = try SSHAcceptor(keys)  // a key that libssh refuses is said now
    startThread { [self] in
      do { try acceptLoop() } catch { logger.critical("ssh server ended", metadata: ["error": "\(error)"]) }
    }
  }

  /// Accepts no more and ends all connections.
  func stop() {
    state.withLock { $0.stopped = true }
    try? Files.writeAll([0], to: stopPipe.write, name: "the stop pipe")  // full: it is stopping already
    closeConnections { _ in true }
  }

  /// Ends the connections that came in with this key. What they had accepted goes on.
  @discardableResult
  func closeSessions(fingerprint: String) -> Int { closeConnections { $0.fingerprint == fingerprint } }

  var connectionCount: Int { state.withLock { $0.connections.count } }

  @discardableResult
  private func closeConnections(_ chosen: (Connection) -> Bool) -> Int {
    state.withLock { state in
      let ending = state.connections.values.filter(chosen)
      for connection in ending { shutdown(connection.socket, Int32(SHUT_RDWR)) }
      return ending.count
    }
  }

  private func acceptLoop() throws {
    let acceptor = try SSHAcceptor(keys)
    while !state.withLock({ $0.stopped }) {
      var set = [listenDescriptor, stopPipe.read].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      guard poll(&set, 2, -1) > 0, set[0].revents != 0, set[1].revents == 0 else { continue }
      let socket = paas_accept(listenDescriptor)
      guard socket >= 0 else {
        // Out of descriptors, mostly: give the others time to end.
        logger.warning("ssh accept failed", metadata: ["errno": "\(-socket)"])
        poll(&set[1], 1, 100)
        continue
      }
      serve(socket, acceptor)
    }
  }

  private func serve(_ socket: Int32, _ acceptor: SSHAcceptor) {
    let peer = PeerAddress(of: socket)
    guard let id = register(socket, peer) else {
      close(socket)
      return
    }
    keepAlive(socket)
    do {
      let connection = Handover(try acceptor.accept(socket))
      startThread(stackSize: 1 << 20) { [self] in
        let session = SSHSession(
          connection: connection.take(), peer: peer.description, context: context, logger: logger)
        let end = session.run { [self] login in loggedIn(id, login) }
        unregister(id, failed: end == .loginFailed)
      }
    } catch {
      logger.error("ssh connection refused", metadata: ["peer": "\(peer.description)", "error": "\(error)"])
      unregister(id, failed: false)
    }
  }

  private func register(_ socket: Int32, _ peer: PeerAddress) -> Int? {
    let copy = fcntl(socket, F_DUPFD_CLOEXEC, 3)
    guard copy >= 0 else { return nil }
    return state.withLock { state in
      if let refusal = state.admit(peer.source, logger) {
        logger.warning("ssh connection refused", metadata: ["peer": "\(peer.description)", "limit": "\(refusal)"])
        sayGoodbye(copy, refusal.text)
        close(copy)
        return nil
      }
      state.last += 1
      state.connections[state.last] = Connection(socket: copy, source: peer.source)
      return state.last
    }
  }

  /// A line before the protocol's own (RFC 4253 section 4.2), for those who look with ssh -v. Not waited for.
  private func sayGoodbye(_ socket: Int32, _ text: String) {
    let line = Array("paas: \(text)\r\n".utf8)
    _ = send(socket, line, line.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
  }

  /// False when there are too many connections with this key.
  private func loggedIn(_ id: Int, _ login: SSHLogin) -> Bool {
    state.withLock { state in
      guard let connection = state.connections[id], !connection.hasGivenWay else { return false }
      guard state.limits.loggedIn(connection.source, key: login.fingerprint) else { return false }
      state.connections[id]?.fingerprint = login.fingerprint
      return true
    }
  }

  private func unregister(_ id: Int, failed: Bool) {
    state.withLock { state in
      guard let connection = state.connections.removeValue(forKey: id) else { return }
      if connection.hasGivenWay {
        state.limits.endedAfterGivingWay()
      } else {
        state.limits.ended(connection.source, key: connection.fingerprint, failed: failed, at: .now)
      }
      close(connection.socket)
    }
  }

  /// A client whose machine has gone is noticed within two minutes, also by a session that only waits.
  private func keepAlive(_ socket: Int32) {
    func set(_ level: Int32, _ option: Int32, _ value: Int32) {
      var value = value
      setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60)
    set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, 15)
    set(Int32(IPPROTO_TCP), TCP_KEEPCNT, 4)
    set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 120_000)
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
  }
}

/// Gives a connection to its thread. `@unchecked Sendable`: one thread puts it in, one takes it out, in this order.
private final class Handover: @unchecked Sendable {
  private let value: SSHConnection

  init(_ connection: SSHConnection) { value = connection }
  func take() -> SSHConnection { value }
}
