import Crypto
import Foundation
import Glibc
import Linux
import Testing

@testable import GitReceiver

/// An ssh-agent that holds one `sk-ssh-ed25519@openssh.com` key in software: what a security device would sign
/// (OpenSSH's PROTOCOL.u2f and PROTOCOL.agent), so that the login of such a key can be tested without one.
private final class SoftwareDevice: Sendable {
  static let type = "sk-ssh-ed25519@openssh.com"
  static let application = "ssh:"

  let path: String
  let line: String
  private let seed = Curve25519.Signing.PrivateKey().rawRepresentation
  private let blob: [UInt8]
  private let listener: Int32
  /// 1: somebody touched the device.
  private let flags: UInt8

  init(path: String, flags: UInt8 = 1) throws {
    self.path = path
    self.flags = flags
    let key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
    blob =
      Self.string(Self.type) + Self.string(Array(key.publicKey.rawRepresentation)) + Self.string(Self.application)
    line = "\(Self.type) \(Data(blob).base64EncodedString())"
    listener = try checked("make a socket") { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
    try checked("bind '\(path)'") {
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
    }
    try checked("listen") { listen(listener, 8) }
    startThread { [weak self, listener] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        while let request = Self.receive(client), let self { Self.reply(client, self.answer(request)) }
        close(client)
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private static func number(_ value: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
  private static func string(_ bytes: [UInt8]) -> [UInt8] { number(bytes.count) + bytes }
  private static func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }

  private static func receive(_ client: Int32) -> [UInt8]? {
    func take(_ count: Int) -> [UInt8]? {
      var bytes = [UInt8](repeating: 0, count: count)
      return recv(client, &bytes, count, Int32(MSG_WAITALL)) == count ? bytes : nil
    }
    return take(4).flatMap { take($0.reduce(0) { $0 << 8 | Int($1) }) }
  }

  private static func reply(_ client: Int32, _ answer: [UInt8]) {
    let bytes = string(answer)
    _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  private func answer(_ request: [UInt8]) -> [UInt8] {
    switch request.first {
    case 11: return [12] + Self.number(1) + Self.string(blob) + Self.string("device")  // the identities
    case 13:  // sign: key, data, flags
      let data = Array(request.dropFirst(1 + 4 + blob.count).dropFirst(4).dropLast(4))
      guard let signature = try? sign(data) else { return [5] }
      return [14] + Self.string(signature)
    default: return [5]  // failure
    }
  }

  private func sign(_ data: [UInt8]) throws -> [UInt8] {
    let trailer = [flags] + Self.number(7)  // the device's counter
    let signed =
      Array(SHA256.hash(data: Array(Self.application.utf8))) + trailer + Array(SHA256.hash(data: data))
    let signature = try Curve25519.Signing.PrivateKey(rawRepresentation: seed).signature(for: signed)
    return Self.string(Self.type) + Self.string(Array(signature)) + trailer
  }
}

@Suite("Keys on security devices")
struct SSHSecurityKeyTests {
  private func login(
    _ harness: SSHHarness, _ device: SoftwareDevice, _ options: [String] = []
  ) async throws -> Ended {
    let file = "\(harness.directory)/device.pub"
    try Files.writeDurably("\(device.line)\n".utf8, to: file)
    return try await harness.ssh("whoami", key: file, options: ["-o", "IdentityAgent=\(device.path)"] + options)
  }

  private func path() -> String { "/tmp/paas-ssh-test-agent-\(UInt32.random(in: 0 ... .max))" }

  @Test("a key on a security device logs in")
  func deviceKey() async throws {
    let device = try SoftwareDevice(path: path())
    defer { unlink(device.path) }
    let harness = try await SSHHarness(publicKey: device.line)
    let ended = try await login(harness, device)
    #expect(ended.text == SSHHarness.token, "\(ended.errors)")
  }

  @Test("another device's key does not")
  func otherDevice() async throws {
    let (known, other) = (try SoftwareDevice(path: path()), try SoftwareDevice(path: path()))
    defer { for device in [known, other] { unlink(device.path) } }
    let harness = try await SSHHarness(publicKey: known.line)
    let ended = try await login(harness, other)
    #expect(ended.status == 255)
    #expect(ended.errors.contains("Permission denied (publickey)"), "\(ended.errors)")
  }

  @Test("a signature that nobody touched the device for is enough for libssh: it does not show the flags")
  func untouched() async throws {
    let device = try SoftwareDevice(path: path(), flags: 0)
    defer { unlink(device.path) }
    let harness = try await SSHHarness(publicKey: device.line)
    let ended = try await login(harness, device)
    // libssh 0.10 verifies the signature over the flags, but neither looks at them nor shows them: docs/threat-model.md
    // says so. Should this fail one day, libssh has learned to look: turn it round, and correct that page.
    #expect(ended.status == 0)
  }
}
