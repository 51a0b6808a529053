import CLinux
import Glibc
import Linux
import Logging

/// Gives the listening sockets to a new server, and to nobody else: the server may die and come back, while its ports
/// stay open here. The peer's uid comes from the kernel (SO_PEERCRED).
struct Handover: Sendable {
  let socket: Int32
  let descriptors: [Int32]
  let serverUID: UInt32
  let logger: Logger

  /// Serves on a thread of its own, until ``stop()``.
  func start() {
    startThread { serve() }
  }

  /// Ends the thread; the socket stays the caller's.
  func stop() { shutdown(socket, Int32(SHUT_RDWR)) }

  private func serve() {
    while true {
      let peer = paas_accept(socket)
      if peer == -ECONNABORTED { continue }
      if [-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM].contains(peer) {
        _ = poll(nil, 0, 100)  // the descriptors of clients come back; nothing tells when
        continue
      }
      guard peer >= 0 else { return }
      give(to: peer)
      close(peer)
    }
  }

  private func give(to peer: Int32) {
    var uid = uid_t.max
    var gid = gid_t.max
    var pid = pid_t(0)
    guard paas_peer_credentials(peer, &uid, &gid, &pid) == 0, uid == serverUID else {
      return logger.error("refused to hand over the listening sockets", metadata: ["uid": "\(uid)", "pid": "\(pid)"])
    }
    let result = paas_send_fds(peer, descriptors, descriptors.count)
    if result < 0 {
      logger.error("cannot hand over the listening sockets", metadata: ["errno": "\(-result)"])
    } else {
      logger.info("handed over the listening sockets", metadata: ["pid": "\(pid)"])
    }
  }
}
