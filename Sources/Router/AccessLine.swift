import NIOHTTP1
import Platform

/// One line of the access log in the shape of Heroku's router.
struct AccessLine: Sendable {
  var code: RouterCode?
  var method: String
  var path: String
  var host: String
  var requestID: String
  var client: String
  /// `web.1`; `nil` when no instance was reached.
  var dyno: String?
  var connect: Duration?
  var service: Duration
  var status: Int
  var bytes: Int
  var isTunnel = false

  /// `at=info method=GET path="/" host=h request_id=… fwd="ip" dyno=web.1 connect=1ms service=18ms status=200 …`
  var text: String {
    var text = "at="
    if let code {
      text += "error code=\(code.rawValue) desc=\"\(code.description)\""
    } else {
      text += "info"
    }
    text += " method=\(method) path=\"\(Self.quoted(path))\" host=\(host) request_id=\(requestID) fwd=\"\(client)\""
    text += " dyno=\(dyno ?? "") connect=\(connect.map { "\($0.milliseconds)ms" } ?? "")"
    text += " service=\(service.milliseconds)ms status=\(status) bytes=\(bytes)"
    return text + " protocol=\(isTunnel ? "websocket" : "http")"
  }

  /// The path comes from outside: no quote, no control character, 2,000 bytes at most.
  private static func quoted(_ path: String) -> String {
    String(
      decoding: path.utf8.prefix(2000).map { byte in
        byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\"") ? UInt8(ascii: "?") : byte
      }, as: UTF8.self)
  }
}

extension Duration {
  var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
