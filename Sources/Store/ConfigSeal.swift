import Crypto
import FoundationEssentials
import Linux
import Platform

/// One value of a config var as the ledger keeps it: AES-256-GCM, bound to its app and name, so that a row that is moved
/// to another app or name does not open.
struct SealedValue: Sendable {
  var keyID: String
  var nonce: Data
  /// Ciphertext and tag.
  var bytes: Data
}

/// Seals and opens config values with the installation's key (`secrets/config.key`, 32 random bytes, 0600).
struct ConfigSeal: Sendable {
  /// Names the key in each row, so that keys can be changed one day: 16 hexadecimal digits of a hash of the key.
  let keyID: String
  private let key: SymmetricKey

  init(key bytes: [UInt8]) {
    key = SymmetricKey(data: bytes)
    let hash = SHA256.hash(data: Array("paas config key ".utf8) + bytes)
    keyID = hash.prefix(8).map { hexadecimal($0) }.joined()
  }

  /// Reads the key; makes one only where there is no ledger yet. Throws ``StoreError`` and `SystemError`.
  static func open(path: String, mayCreate: Bool) throws -> ConfigSeal {
    if !Files.exists(path) {
      guard mayCreate else { throw StoreError.keyMissing(path: path) }
      let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
      try Files.writeDurably(bytes, to: path)
    }
    let bytes = try Files.read(path, limit: 1024)
    guard bytes.count == 32 else { throw StoreError.keyDamaged(path: path) }
    return ConfigSeal(key: bytes)
  }

  func seal(_ value: String, app: AppID, name: ConfigKey) throws -> SealedValue {
    let nonce = AES.GCM.Nonce()
    let box = try AES.GCM.seal(Data(value.utf8), using: key, nonce: nonce, authenticating: place(app, name))
    return SealedValue(keyID: keyID, nonce: Data(nonce), bytes: Data(Array(box.ciphertext) + Array(box.tag)))
  }

  /// Throws ``StoreError/sealBroken(_:)``; never says what the value might have been.
  func open(_ sealed: SealedValue, app: AppID, name: ConfigKey) throws -> String {
    do {
      guard sealed.keyID == keyID, sealed.bytes.count >= 16 else { throw StoreError.sealBroken(name) }
      let box = try AES.GCM.SealedBox(
        nonce: AES.GCM.Nonce(data: sealed.nonce), ciphertext: sealed.bytes.dropLast(16), tag: sealed.bytes.suffix(16))
      return String(decoding: try AES.GCM.open(box, using: key, authenticating: place(app, name)), as: UTF8.self)
    } catch {
      throw StoreError.sealBroken(name)
    }
  }

  private func place(_ app: AppID, _ name: ConfigKey) -> Data { Data("\(app)\u{0}\(name)".utf8) }
}

/// Two lower-case hexadecimal digits.
func hexadecimal(_ byte: UInt8) -> String {
  let text = String(byte, radix: 16)
  return text.count == 1 ? "0" + text : text
}
