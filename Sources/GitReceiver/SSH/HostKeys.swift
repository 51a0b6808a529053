import CSSH
import Glibc
import Linux

/// The keys by which clients know this machine: made once, kept in the receiver's directory, readable by it alone.
struct HostKeys: Sendable {
  let ed25519: String
  let rsa: String

  /// Makes the keys that are missing. Throws ``SSHError`` and ``SystemError``.
  init(directory: String) throws {
    ed25519 = "\(directory)/ssh_host_ed25519_key"
    rsa = "\(directory)/ssh_host_rsa_key"
    try Self.ensure(ed25519, type: SSH_KEYTYPE_ED25519, bits: 0)
    try Self.ensure(rsa, type: SSH_KEYTYPE_RSA, bits: 3072)
  }

  private static func ensure(_ path: String, type: ssh_keytypes_e, bits: Int32) throws {
    if Files.exists(path) { return try check(path) }
    var key: ssh_key?
    guard ssh_pki_generate(type, bits, &key) == SSH_OK else {
      throw SSHError.hostKey(path: path, reason: "it cannot be generated")
    }
    defer { ssh_key_free(key) }
    var text: UnsafeMutablePointer<CChar>?
    guard ssh_pki_export_privkey_base64(key, nil, nil, nil, &text) == SSH_OK, let text else {
      throw SSHError.hostKey(path: path, reason: "it cannot be exported")
    }
    defer { ssh_string_free_char(text) }
    try Files.writeDurably(String(cString: text).utf8, to: path, mode: 0o600)
  }

  /// A key that others could read is closed to them; one that cannot be read stops the start.
  private static func check(_ path: String) throws {
    try checked("set the mode of '\(path)'") { chmod(path, 0o600) }
    var key: ssh_key?
    guard ssh_pki_import_privkey_file(path, nil, nil, nil, &key) == SSH_OK else {
      throw SSHError.hostKey(path: path, reason: "it cannot be read as a private key")
    }
    ssh_key_free(key)
  }
}
