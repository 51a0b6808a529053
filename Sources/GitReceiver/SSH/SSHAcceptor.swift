import CSSH
import Glibc

/// Turns accepted sockets into libssh sessions with our keys and algorithms. Used by the accepting thread alone.
final class SSHAcceptor {
  private let bind: ssh_bind

  /// Throws ``SSHError`` when libssh refuses a key or an algorithm.
  init(_ keys: HostKeys) throws {
    guard let bind = ssh_bind_new() else { throw SSHError.library(action: "make an SSH bind", reason: "out of memory") }
    self.bind = bind
    var no = false
    try check("leave system configuration alone", ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no))
    try set(SSH_BIND_OPTIONS_BANNER, "paas")
    try set(SSH_BIND_OPTIONS_HOSTKEY, keys.ed25519)
    try set(SSH_BIND_OPTIONS_HOSTKEY, keys.rsa)
    try set(SSH_BIND_OPTIONS_KEY_EXCHANGE, "curve25519-sha256,curve25519-sha256@libssh.org")
    let ciphers = "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com"
    try set(SSH_BIND_OPTIONS_CIPHERS_C_S, ciphers)
    try set(SSH_BIND_OPTIONS_CIPHERS_S_C, ciphers)
    let macs = "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com"
    try set(SSH_BIND_OPTIONS_HMAC_C_S, macs)
    try set(SSH_BIND_OPTIONS_HMAC_S_C, macs)
    try set(SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, "ssh-ed25519,rsa-sha2-512,rsa-sha2-256")
    try set(SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, Self.userKeys)
  }

  deinit { ssh_bind_free(bind) }

  /// The signature algorithms of user keys: no SHA-1, no DSA, no certificates (nobody signs them here).
  private static let userKeys =
    "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp521,ecdsa-sha2-nistp384,ecdsa-sha2-nistp256,"
    + "sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256"

  /// Takes the socket over. Nothing is sent or received yet, so a slow client holds nobody up.
  func accept(_ socket: Int32) throws -> SSHConnection {
    guard let session = ssh_new() else {
      close(socket)
      throw SSHError.library(action: "make an SSH session", reason: "out of memory")
    }
    let connection = SSHConnection(owning: session)
    ssh_options_set(session, SSH_OPTIONS_COMPRESSION_C_S, "none")
    ssh_options_set(session, SSH_OPTIONS_COMPRESSION_S_C, "none")
    guard ssh_bind_accept_fd(bind, session, socket) == SSH_OK else {
      throw SSHError.library(
        action: "take over an SSH connection", reason: SSHError.reason(UnsafeMutableRawPointer(bind)))
    }
    ssh_set_blocking(session, 0)
    ssh_set_auth_methods(session, Int32(SSH_AUTH_METHOD_PUBLICKEY))
    return connection
  }

  private func set(_ option: ssh_bind_options_e, _ value: String) throws {
    try check("set the SSH option '\(value)'", value.withCString { ssh_bind_options_set(bind, option, $0) })
  }

  private func check(_ action: String, _ result: Int32) throws {
    guard result == SSH_OK else {
      throw SSHError.library(action: action, reason: SSHError.reason(UnsafeMutableRawPointer(bind)))
    }
  }
}
