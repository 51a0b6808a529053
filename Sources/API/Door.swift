/// The four ways in. Each has its own routes and its own rule about who may use them.
enum Door: String, Sendable {
  /// `run/control.sock`: whoever may connect acts as the local admin.
  case control
  /// `run/receiver.sock`: the receiver's uid only. Beside its own routes, the API with a session's token.
  case receiver
  /// `run/router.sock`: the router's uid only, and only its own routes.
  case router
  /// The TCP address: everything but `GET /health` wants a token.
  case tcp
}

/// Who may speak on a unix socket, by the credentials the kernel gives for the peer (unix(7), SO_PEERCRED).
enum PeerRule: Sendable, Equatable {
  /// TCP: no credentials.
  case anyone
  case only(uid: UInt32)
  /// Root and this uid; with `group`, also everybody whom the socket's mode (0660, group `paas`) let connect.
  case owner(uid: UInt32, group: Bool)

  func admits(uid: UInt32) -> Bool {
    switch self {
    case .anyone: true
    case .only(let wanted): uid == wanted
    case .owner(let owner, let group): uid == 0 || uid == owner || group
    }
  }
}
