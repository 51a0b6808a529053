import Foundation
import Testing
import Wire

@testable import ControlPlane

/// A key's data: its strings, each with its length before it (RFC 4251 section 5).
private func blob(_ fields: [UInt8]...) -> [UInt8] {
  fields.flatMap { field in
    (0..<4).map { UInt8(truncatingIfNeeded: field.count >> (24 - 8 * $0)) } + field
  }
}

private func line(_ type: String, _ blob: [UInt8]) -> String { "\(type) \(Data(blob).base64EncodedString()) me@here" }

private func rsa(exponent: [UInt8] = [1, 0, 1], modulus: [UInt8], more: [UInt8] = []) -> String {
  line("ssh-rsa", blob(Array("ssh-rsa".utf8), exponent, modulus) + more)
}

/// A modulus of so many bits: its highest and its lowest one are set.
private func modulus(_ bits: Int, last: UInt8 = 1) -> [UInt8] {
  var bytes = [UInt8](repeating: 0xA5, count: (bits + 7) / 8)
  let top = UInt8(1) << ((bits - 1) % 8)
  bytes[0] = top | (0x25 & (top &- 1))
  bytes[bytes.count - 1] = last
  return top == 0x80 ? [0] + bytes : bytes
}

private func refusal(_ line: String) -> APIError? {
  do {
    _ = try SSHKey(line)
    return nil
  } catch {
    return error
  }
}

@Suite("SSH keys that may be added")
struct SSHKeyTests {
  private static let point256 = Array(Data(base64Encoded: Self.p256) ?? Data()).suffix(65)
  private static let p256 =
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFFcvQEdxAfA/C8zXF4aGNN0SQyvZXFZLjszXr/ETAN/G/rnzk4cGPyNY8Rv73IF0FSyjy0uQ9p+XjhsKFmYKY4="
  private static let p384 =
    "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBNWJLNZuyTN2a3FlWc/Qg/Ecfs767ie1PN/tD/f85sti/w95"
    + "pAzi4yn0lmktzbAMd04E0WUtYRNCMN+xF3PvamS0NMHSM/5xJwV+JH+Y8Ja69fxGTl3dvlbThaDsneBanQ=="
  private static let p521 =
    "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBADmGmIs/qwllUxkNK7pX6GJ55yhEwCZkEjoXNhWIE5W/JUb"
    + "dEOxHiAzVC6MNGhgUqTiXbXdTti5El40kB2ndb5paAGVfVeVrND3WK09p6Ax25lZBm5jpzFpQupMKcJZcbbGkJ6UoDp7BUeEOiNL58Yeab4dgpQ7ShGG51GO6S/JJdfdpA=="

  @Test(
    "keys that ssh-keygen makes are taken",
    arguments: [
      "ecdsa-sha2-nistp256 \(p256)", "ecdsa-sha2-nistp384 \(p384)", "ecdsa-sha2-nistp521 \(p521)", KeyTests.good,
    ])
  func real(_ line: String) throws {
    let key = try SSHKey(line)
    #expect(line.hasPrefix(key.text))
    #expect(key.fingerprint.hasPrefix("SHA256:"))
  }

  @Test("RSA keys from 2048 to 16384 bits are taken", arguments: [2048, 3072, 4095, 4096, 16384])
  func rsaSizes(_ bits: Int) throws {
    _ = try SSHKey(rsa(modulus: modulus(bits)))
  }

  @Test("short RSA keys are refused with their length", arguments: [512, 1024, 2047])
  func rsaShort(_ bits: Int) {
    let error = refusal(rsa(modulus: modulus(bits)))
    #expect(error?.message == "RSA keys need 2048 bits, this one has \(bits)")
    #expect(error?.nextStep == "make a new key: ssh-keygen -t ed25519")
  }

  @Test("zeros before a short modulus do not make it longer")
  func rsaPadded() {
    let padded = [UInt8](repeating: 0, count: 200) + modulus(1024).dropFirst()
    #expect(refusal(rsa(modulus: padded))?.message == "the key's data is not that of an ssh-rsa key")
  }

  @Test("unsafe RSA numbers are refused")
  func rsaUnsafe() {
    let good = modulus(2048)
    for exponent in [[1], [2], [1, 0, 0], [UInt8](repeating: 0x7F, count: 9)] as [[UInt8]] {
      #expect(refusal(rsa(exponent: exponent, modulus: good))?.message == "the RSA key's exponent is not a safe one")
    }
    for exponent in [[], [0], [0x80], [0, 1]] as [[UInt8]] {
      #expect(
        refusal(rsa(exponent: exponent, modulus: good))?.message == "the key's data is not that of an ssh-rsa key")
    }
    #expect(refusal(rsa(modulus: modulus(2048, last: 2)))?.message == "the RSA key's modulus is even")
    #expect(refusal(rsa(modulus: modulus(20000)))?.message == "RSA keys have 16384 bits at most, this one has 20000")
    #expect(refusal(rsa(modulus: []))?.message == "the key's data is not that of an ssh-rsa key")
    #expect(refusal(rsa(modulus: Array(good.dropFirst())))?.message == "the key's data is not that of an ssh-rsa key")
  }

  @Test("data after the key is refused")
  func trailing() {
    #expect(refusal(rsa(modulus: modulus(2048), more: [0]))?.message == "the key's data goes on after the key")
    let ed25519 = blob(Array("ssh-ed25519".utf8), [UInt8](repeating: 7, count: 32), [])
    #expect(refusal(line("ssh-ed25519", ed25519))?.message == "the key's data goes on after the key")
  }

  @Test("keys on security devices are taken")
  func hardware() throws {
    let (edType, ecType) = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
    let application = Array("ssh:".utf8)
    let ed25519 = blob(Array(edType.utf8), [UInt8](repeating: 7, count: 32), application)
    let ecdsa = blob(Array(ecType.utf8), Array("nistp256".utf8), Array(Self.point256), application)
    #expect(try SSHKey(line(edType, ed25519)).text.hasPrefix(edType))
    #expect(try SSHKey(line(ecType, ecdsa)).comment == "me@here")
    for (type, data) in [(edType, ed25519), (ecType, ecdsa)] {
      #expect(refusal(line(type, Array(data.dropLast(8))))?.message == "the key's data is not that of an \(type) key")
    }
  }

  @Test("a point that is not on its curve is refused, and so is one of another curve")
  func curves() {
    let type = "ecdsa-sha2-nistp256"
    let wrong = "the key's data is not that of an ecdsa-sha2-nistp256 key"
    func key(_ curve: String, _ point: [UInt8]) -> String {
      line(type, blob(Array(type.utf8), Array(curve.utf8), point))
    }
    let point = Array(Self.point256)
    #expect(refusal(key("nistp256", point)) == nil)
    var moved = point
    moved[64] ^= 1
    #expect(refusal(key("nistp256", moved))?.message == wrong)
    #expect(refusal(key("nistp384", point))?.message == wrong)
    #expect(refusal(key("nistp256", [0]))?.message == wrong)
    #expect(refusal(key("nistp256", []))?.message == wrong)
    #expect(refusal(key("nistp256", Array(point.dropLast())))?.message == wrong)
    #expect(refusal("ecdsa-sha2-nistp384 \(Self.p256)") != nil)
  }

  @Test("lengths that lie are refused, wherever they stand")
  func lyingLengths() throws {
    let whole = blob(Array("ssh-rsa".utf8), [1, 0, 1], modulus(2048))
    for at in [0, 11, 18] {
      for length in [[0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0, 0, 0, 0], [0, 0, 2, 0]] as [[UInt8]] {
        var data = whole
        data.replaceSubrange(at..<at + 4, with: length)
        #expect(refusal(line("ssh-rsa", data)) != nil, "\(at) \(length)")
      }
    }
    for count in 0..<whole.count {
      #expect(refusal(line("ssh-rsa", Array(whole.prefix(count)))) != nil, "\(count)")
    }
  }

  @Test(
    "what cannot be added is refused with the reason",
    arguments: [
      ("ssh-dss AAAAB3NzaC1kc3M=", "DSA keys are too weak (1024 bits, SHA-1)"),
      (
        "ecdsa-sha2-nistp256-cert-v01@openssh.com AAAA",
        "that is a certificate; certificates are not supported"
      ),
      ("ssh-ed448 AAAA", "key type 'ssh-ed448' is not supported"),
      ("command=\"id\" ssh-ed25519 AAAA", "the line begins with options, which are not supported"),
      ("no-pty ssh-ed25519 AAAA", "the line begins with options, which are not supported"),
      (
        "-----BEGIN OPENSSH PRIVATE KEY----- AAAA",
        "that is a private key; it stays on your machine, and nobody else may see it"
      ),
      ("ssh-ed25519 ????", "the key's data is not base64"),
      ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA", "the key's data is not that of an ssh-rsa key"),
    ])
  func reasons(_ line: String, _ reason: String) {
    #expect(refusal(line)?.message == reason)
    #expect(refusal(line)?.nextStep != nil)
  }
}
