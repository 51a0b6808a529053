public import Platform

/// The settings of the limits that are the same for all apps: variables of the server's environment (docs/limits.md).
extension RouterLimits {
  /// The environment entries that a server hands on to its router.
  public static let prefix = "PAAS_ROUTER_"

  /// Reads `PAAS_ROUTER_…` entries; what is not there keeps its default. Throws ``SettingError`` for one that is no
  /// number in its range, or is unknown.
  public init(environment: [String: String]) throws(SettingError) {
    self.init()
    for (name, text) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Self.prefix) {
      guard let setting = Self.settings[String(name.dropFirst(Self.prefix.count))] else {
        throw SettingError("'\(printable(name))' is no setting of the router", next: "docs/limits.md lists them")
      }
      setting.set(&self, try SettingError.number(text, of: name, in: setting.range))
    }
  }

  /// `NAME=NUMBER …` for each setting that is not its default: a router of the same program with the same text has the
  /// same limits, however they were written.
  public var changes: String {
    let standard = RouterLimits()
    return Self.settings.sorted { $0.key < $1.key }.compactMap { name, setting in
      guard let value = setting.get(self), value != setting.get(standard) else { return nil }
      return "\(name)=\(value)"
    }.joined(separator: " ")
  }

  /// One variable: what it may be, and whose value it is.
  struct Setting: Sendable {
    let range: ClosedRange<Int>
    let get: @Sendable (RouterLimits) -> Int?
    let set: @Sendable (inout RouterLimits, Int) -> Void

    static func count(_ range: ClosedRange<Int>, _ path: any WritableKeyPath<RouterLimits, Int> & Sendable) -> Setting {
      Setting(range: range, get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    static func count(_ range: ClosedRange<Int>, _ path: any WritableKeyPath<RouterLimits, Int?> & Sendable) -> Setting
    {
      Setting(range: range, get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    static func seconds(
      _ range: ClosedRange<Int>, _ path: any WritableKeyPath<RouterLimits, Duration> & Sendable
    ) -> Setting {
      Setting(
        range: range, get: { Int($0[keyPath: path].components.seconds) }, set: { $0[keyPath: path] = .seconds($1) })
    }
  }

  /// By the part of the name behind ``prefix``. A new server waits for the old router as long as that drains, and a
  /// router in its slot until it has ended, so that time has the lowest bound.
  static let settings: [String: Setting] = [
    "HEAD_BYTES": .count(4096...(1 << 20), \.headBytes),
    "HEAD_FIELDS": .count(16...1024, \.headFields),
    "TARGET_BYTES": .count(256...(1 << 20), \.targetBytes),
    "BODY_BYTES": .count(1...(1 << 30), \.bodyBytes),
    "HEAD_SECONDS": .seconds(1...86_400, \.head),
    "BODY_SECONDS": .seconds(1...86_400, \.body),
    "KEEP_ALIVE_SECONDS": .seconds(1...86_400, \.keepAlive),
    "FIRST_BYTE_SECONDS": .seconds(1...86_400, \.firstByte),
    "IDLE_SECONDS": .seconds(1...86_400, \.idle),
    "CONNECT_SECONDS": .seconds(1...3600, \.connect),
    "HOLD_SECONDS": .seconds(1...3600, \.hold),
    "BOOT_SECONDS": .seconds(1...3600, \.boot),
    "DRAIN_SECONDS": .seconds(1...600, \.drain),
    "CONNECTIONS": .count(16...1_000_000, \.connections),
    "CONNECTIONS_PER_SOURCE": .count(1...1_000_000, \.connectionsPerAddress),
    "QUEUE": .count(1...100_000, \.queue),
    "UPSTREAM_CONNECTIONS": .count(0...100_000, \.upstreamConnections),
    "UPSTREAM_IDLE_SECONDS": .seconds(1...3600, \.upstreamIdle),
    "LOG_BYTES": .count((64 << 10)...(1 << 30), \.logBytes),
  ]
}
