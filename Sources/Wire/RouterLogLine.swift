public import Platform

/// One line of the access log, ready for the app's log. On the wire a line is `APP-ID SP MICROSECONDS SP TEXT LF`: what
/// makes it runs once per request, so it is no JSON.
public struct RouterLogLine: Sendable, Equatable {
  public var app: AppID
  public var at: Timestamp
  /// `at=info method=GET path="/" …`; one line.
  public var text: String

  public init(app: AppID, at: Timestamp, text: String) {
    self.app = app
    self.at = at
    self.text = text
  }

  public var encoded: String { "\(app) \(at.microseconds) \(text)\n" }

  /// The lines of a body; what is not one is left out.
  public static func decode(_ body: some Collection<UInt8>) -> [RouterLogLine] {
    body.split(separator: UInt8(ascii: "\n")).compactMap { line in
      let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
      guard parts.count == 3, let app = AppID(String(decoding: parts[0], as: UTF8.self)),
        let micros = Int64(String(decoding: parts[1], as: UTF8.self))
      else { return nil }
      return RouterLogLine(
        app: app, at: Timestamp(microseconds: micros), text: String(decoding: parts[2], as: UTF8.self))
    }
  }
}
