public import FoundationEssentials
import Platform

/// The protocol between the processes: HTTP/1.1 over unix sockets, JSON bodies, and for long streams the records of
/// ``StreamRecord``. docs/wire.md is its definition in prose.
public enum Wire {
  /// Sent as `Paas-Wire` on every request and response.
  public static let version = 1
  /// What this build still understands; a peer outside it is answered 426 with the reason.
  public static let supported = 1...1
  public static let versionHeader = "Paas-Wire"
  /// The largest JSON body that anybody reads, in bytes.
  public static let maximumJSON = 4 << 20
  /// The largest routing table, or counters of all its apps, in bytes: ten thousand apps, some with pages of their own.
  public static let maximumTable = 64 << 20

  /// JSON in the form all sockets use: sorted keys, no escaped slashes.
  public static func encode(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(value)
  }

  /// Reads JSON; unknown fields are ignored, so that a newer peer can say more.
  public static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
    try JSONDecoder().decode(type, from: data)
  }
}
