import Linux
import Router

/// How a server wants its router to run.
struct RouterSettings: Sendable, Equatable {
  /// Networks whose `X-Forwarded-*` is believed.
  var trustedProxies: [String] = []
  var acceptsProxyProtocol = false
  var limits = RouterLimits()
  /// Of ``ownProgram(version:)``.
  var program: String

  /// Two routers with the same one need not be exchanged for each other.
  var fingerprint: String {
    "\(program) \(trustedProxies.joined(separator: ",")) \(acceptsProxyProtocol) \(limits.changes)"
  }

  /// Which program runs here: its version, and the stamp of its file.
  static func ownProgram(version: String) -> String {
    guard let stamp = FileStamp("/proc/self/exe", followsLinks: true) else { return version }
    return "\(version) \(stamp)"
  }

  /// How long requests in flight may take after SIGTERM.
  var drainSeconds: Int { Int(limits.drain.components.seconds) }
}
