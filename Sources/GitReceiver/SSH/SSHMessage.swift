import CSSH
import Glibc

/// One request of the client, to be answered once. Unanswered, it is refused when it goes.
final class SSHMessage {
  enum Kind: Equatable {
    case service(String)
    /// `none`, `password` and everything else that is not a key.
    case login(method: String)
    case keyProbe
    case keyProof
    /// A key with a signature that does not fit.
    case keyForged
    case openSession
    case pty(terminal: String, columns: UInt16, rows: UInt16)
    case windowChange(columns: UInt16, rows: UInt16)
    case environment(name: String, value: String)
    case exec([UInt8])
    case shell
    /// Subsystems, forwarding, X11, and what we do not know.
    case other
  }

  private let raw: ssh_message
  private var answered = false
  let kind: Kind

  init(owning raw: ssh_message) {
    self.raw = raw
    kind = Self.kind(raw)
  }

  deinit {
    if !answered { ssh_message_reply_default(raw) }
    ssh_message_free(raw)
  }

  /// The user a login request names.
  var user: String { ssh_message_auth_user(raw).map { String(cString: $0) } ?? "" }

  /// The key a login request offers; it lives as long as the message.
  var key: SSHPublicKey? { paas_ssh_offered_key(raw).flatMap(SSHPublicKey.init) }

  func refuse() {
    answered = true
    ssh_message_reply_default(raw)
  }

  /// Leaves it without an answer: the connection ends. An answer would have the client send more, and what arrives
  /// after the close resets the connection before the goodbye is read.
  func drop() { answered = true }

  func acceptService() { answer(ssh_message_service_reply_success) }
  /// "That key may be tried." Nothing is granted.
  func acceptProbe() { answer(ssh_message_auth_reply_pk_ok_simple) }
  func acceptLogin() { answer { ssh_message_auth_reply_success($0, 0) } }
  func acceptRequest() { answer(ssh_message_channel_request_reply_success) }

  func acceptSession() -> ssh_channel? {
    answered = true
    return ssh_message_channel_request_open_reply_accept(raw)
  }

  private func answer(_ call: (ssh_message) -> Int32) {
    answered = true
    _ = call(raw)
  }

  private static func kind(_ raw: ssh_message) -> Kind {
    let subtype = ssh_message_subtype(raw)
    switch UInt32(bitPattern: ssh_message_type(raw)) {
    case SSH_REQUEST_SERVICE.rawValue: return .service(text(ssh_message_service_service(raw)))
    case SSH_REQUEST_AUTH.rawValue: return login(raw, method: UInt32(bitPattern: subtype))
    case SSH_REQUEST_CHANNEL_OPEN.rawValue:
      return subtype == SSH_CHANNEL_SESSION.rawValue ? .openSession : .other
    case SSH_REQUEST_CHANNEL.rawValue: return request(raw, type: UInt32(bitPattern: subtype))
    default: return .other
    }
  }

  private static func login(_ raw: ssh_message, method: UInt32) -> Kind {
    switch method {
    case SSH_AUTH_METHOD_NONE: return .login(method: "none")
    case SSH_AUTH_METHOD_PUBLICKEY:
      switch paas_ssh_signature(raw) {
      case SSH_PUBLICKEY_STATE_NONE: return .keyProbe
      case SSH_PUBLICKEY_STATE_VALID: return .keyProof
      default: return .keyForged
      }
    default: return .login(method: "other")
    }
  }

  private static func request(_ raw: ssh_message, type: UInt32) -> Kind {
    func size(_ value: Int32) -> UInt16 { UInt16(clamping: value) }
    switch type {
    case SSH_CHANNEL_REQUEST_PTY.rawValue:
      return .pty(
        terminal: text(paas_ssh_terminal(raw)), columns: size(paas_ssh_columns(raw)), rows: size(paas_ssh_rows(raw)))
    case SSH_CHANNEL_REQUEST_WINDOW_CHANGE.rawValue:
      return .windowChange(columns: size(paas_ssh_columns(raw)), rows: size(paas_ssh_rows(raw)))
    case SSH_CHANNEL_REQUEST_ENV.rawValue:
      let name = text(ssh_message_channel_request_env_name(raw))
      return .environment(name: name, value: text(ssh_message_channel_request_env_value(raw)))
    case SSH_CHANNEL_REQUEST_EXEC.rawValue:
      guard let command = ssh_message_channel_request_command(raw) else { return .other }
      return .exec(Array(UnsafeBufferPointer(start: command, count: strlen(command))).map { UInt8(bitPattern: $0) })
    case SSH_CHANNEL_REQUEST_SHELL.rawValue: return .shell
    default: return .other
    }
  }

  private static func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
}

/// A client's public key as text.
struct SSHPublicKey {
  /// `ssh-ed25519 AAAA…`, as in authorized_keys.
  let line: String
  /// `SHA256:…`
  let fingerprint: String

  init?(_ key: ssh_key) {
    var encoded: UnsafeMutablePointer<CChar>?
    guard ssh_pki_export_pubkey_base64(key, &encoded) == SSH_OK, let encoded else { return nil }
    defer { ssh_string_free_char(encoded) }
    let curve = ssh_pki_key_ecdsa_name(key).map { String(cString: $0) }
    let type = ssh_key_type_to_char(ssh_key_type(key)).map { String(cString: $0) } ?? ""
    line = "\(type.isEmpty || type == "ssh-ecdsa" ? curve ?? type : type) \(String(cString: encoded))"

    var hash: UnsafeMutablePointer<UInt8>?
    var length = 0
    guard ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &length) == SSH_OK else { return nil }
    defer { ssh_clean_pubkey_hash(&hash) }
    guard let text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, length) else { return nil }
    defer { ssh_string_free_char(text) }
    fingerprint = String(cString: text)
  }
}
