import Platform

/// What one push may cost. Every limit is checked before memory or disk is used for it, and an error names it.
struct PackLimits: Sendable {
  /// Bytes of the pack as it arrives.
  var packBytes: UInt64 = 2 << 30
  var objects = 5_000_000
  /// Bytes of one inflated object.
  var objectBytes = 512 << 20
  /// Bytes inflated in all.
  var inflatedBytes: UInt64 = 64 << 30
  /// Deltas between an object and its whole base.
  var deltaDepth = 4096
  /// From the pack's first byte to the end of its indexing.
  var time: Duration = .seconds(3600)
  /// Bytes of bases that each thread keeps while their deltas are resolved; above it, bases are made again when
  /// needed. Nobody is refused for it.
  var heldBytes = 12 << 20
  /// Bytes of bases that are made again: only packs made for the purpose need more than a little of it.
  var remadeBytes: UInt64 = 1 << 30

  /// By which name a person can change a limit; `nil`: by none.
  var name: @Sendable (Setting) -> String? = { $0.rawValue }

  /// When ``time`` is over; set when a pack begins.
  var deadline: ContinuousClock.Instant?

  /// An object above this size is kept in a mapped file while it is looked at, and not in memory.
  static let largeObject = 4 << 20

  /// The limits by the name of their setting, a variable of the server's environment (docs/limits.md).
  enum Setting: String, CaseIterable {
    case packBytes = "PAAS_PUSH_PACK_BYTES"
    case objects = "PAAS_PUSH_OBJECTS"
    case objectBytes = "PAAS_PUSH_OBJECT_BYTES"
    case inflatedBytes = "PAAS_PUSH_INFLATED_BYTES"
    case deltaDepth = "PAAS_PUSH_DELTA_DEPTH"
    case seconds = "PAAS_PUSH_SECONDS"
    case remadeBytes = "PAAS_PUSH_REMADE_BYTES"
  }

  init() {}

  /// Of a repository that is not the platform's: whoever pushes there could as well write to it, so they only keep
  /// mistakes from taking everything. `maximumInputSize` is its own setting, in bytes.
  static func standalone(maximumInputSize: UInt64?) -> PackLimits {
    var limits = PackLimits()
    limits.packBytes = maximumInputSize ?? 1 << 40
    limits.set(.objects, to: .max)
    limits.set(.objectBytes, to: .max)
    limits.inflatedBytes = 1 << 42
    limits.time = .seconds(24 * 60 * 60)
    limits.name = { $0 == .packBytes ? "receive.maxInputSize" : nil }
    return limits
  }

  /// Reads `PAAS_PUSH_…` entries; what is not there keeps its default. Throws ``SettingError`` for one that is no number
  /// above 0, or is unknown.
  init(environment: [String: String]) throws(SettingError) {
    for (name, text) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix(ReceiverRole.pushPrefix) {
      guard let setting = Setting(rawValue: name) else {
        throw SettingError("'\(printable(name))' is no limit of a push", next: "docs/limits.md lists them")
      }
      guard let value = Int(text), value > 0 else {
        throw SettingError(
          "\(name) is '\(printable(text))', not a number above 0", next: "correct it, or leave it out for the default")
      }
      set(setting, to: value)
    }
  }

  private mutating func set(_ setting: Setting, to value: Int) {
    switch setting {
    case .packBytes: packBytes = UInt64(value)
    case .objects: objects = min(value, Int(Int32.max) - 1)
    case .objectBytes: objectBytes = min(value, Int(UInt32.max) >> 1)
    case .inflatedBytes: inflatedBytes = UInt64(value)
    case .deltaDepth: deltaDepth = value
    case .seconds: time = .seconds(value)
    case .remadeBytes: remadeBytes = UInt64(value)
    }
  }

  private func text(_ setting: Setting) -> String {
    switch setting {
    case .packBytes: bytes(packBytes)
    case .objects: "\(objects)"
    case .objectBytes: bytes(UInt64(objectBytes))
    case .inflatedBytes: bytes(inflatedBytes)
    case .deltaDepth: "\(deltaDepth)"
    case .seconds: "\(time.components.seconds) s"
    case .remadeBytes: bytes(remadeBytes)
    }
  }

  private func bytes(_ count: UInt64) -> String {
    count >= 1 << 20 ? "\(count >> 20) MiB" : "\(count) bytes"
  }

  /// The error for a limit that is exceeded: `the pack is too large: the limit is 2048 MiB (PAAS_PUSH_PACK_BYTES)`.
  func exceeded(_ setting: Setting, _ what: String, next: String) -> GitError {
    let name = name(setting).map { " (\($0))" } ?? ""
    return GitError(.limit, "\(what): the limit is \(text(setting))\(name)", next: next)
  }

  /// How many bytes a pack of this size may inflate to: real histories come to some dozens of times their pack, and
  /// whoever sends a few kilobytes that unfold to gigabytes has made them for the purpose.
  func inflated(packBytes: UInt64) -> UInt64 { min(inflatedBytes, 1 << 30 + 1000 * packBytes) }

  func inflatesTooMuch(packBytes: UInt64) -> GitError {
    var limits = self
    limits.inflatedBytes = inflated(packBytes: packBytes)
    return limits.exceeded(
      .inflatedBytes, "the pack inflates to too much", next: "push the history in smaller steps")
  }

  /// Throws ``GitError`` of kind `limit` when the push has taken too long.
  func checkTime() throws(GitError) {
    guard let deadline, ContinuousClock.now > deadline else { return }
    throw exceeded(.seconds, "the push takes too long", next: "push the history in smaller steps")
  }

  /// Checks the size of one object. Throws ``GitError`` of kind `limit`.
  func checkObject(_ size: UInt64) throws(GitError) {
    guard size > UInt64(objectBytes) else { return }
    throw exceeded(
      .objectBytes, "an object of \(bytes(size)) is in the pack",
      next: "keep large files out of the repository, or fetch them while building")
  }
}
