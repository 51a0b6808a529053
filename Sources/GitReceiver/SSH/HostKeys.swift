import CSSH
import Glibc
import Linux

/// The keys by which clients know this machine: made once, kept in the receiver's directory, readable by it alone.
/// Beside each lies its public half, for the operator to compare: `ssh-keygen -lf`.
struct HostKeys: Sendable {
  let ed25519: String
  let rsa: String
  /// `SHA256:… (ED25519)`, as ssh shows it to a client that connects for the first time.
  let fingerprints: [String]
  /// Files that others could read, until now. Whoever did can pretend to be this machine.
  let exposed: [String]

  /// Makes the keys that are missing. Throws ``SSHError`` and ``SystemError``.
  init(directory: String) throws {
    ed25519 = "\(directory)/ssh_host_ed25519_key"
    rsa = "\(directory)/ssh_host_rsa_key"
    var (fingerprints, exposed) = ([String](), [String]())
    for (path, name, type, bits) in [
      (ed25519, "ED25519", SSH_KEYTYPE_ED25519, Int32(0)), (rsa, "RSA", SSH_KEYTYPE_RSA, 3072),
    ] {
      if !Files.exists(path) { try Self.make(path, type, bits) }
      if let mode = Files.mode(of: path), mode & 0o077 != 0 { exposed.append(path) }
      let key = try Self.publicHalf(of: path, type)
      try Files.writeDurably("\(key.line) paas\n".utf8, to: "\(path).pub", mode: 0o644)
      fingerprints.append("\(key.fingerprint) (\(name))")
    }
    self.fingerprints = fingerprints
    self.exposed = exposed
  }

  private static func make(_ path: String, _ type: ssh_keytypes_e, _ bits: Int32) throws {
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

  /// A key that others could read is closed to them; one that cannot be used stops the start.
  private static func publicHalf(of path: String, _ type: ssh_keytypes_e) throws -> SSHPublicKey {
    try checked("set the mode of '\(path)'") { chmod(path, 0o600) }
    var key: ssh_key?
    guard ssh_pki_import_privkey_file(path, nil, nil, nil, &key) == SSH_OK else {
      throw SSHError.hostKey(path: path, reason: "it cannot be read as a private key")
    }
    defer { ssh_key_free(key) }
    guard ssh_key_type(key) == type, let half = key.flatMap(SSHPublicKey.init) else {
      throw SSHError.hostKey(path: path, reason: "it is a key of another type")
    }
    return half
  }
}
