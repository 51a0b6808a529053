public import Platform

/// Why the ledger cannot be used, or refuses a change.
public enum StoreError: Error, Explained, Equatable {
  case notALedger(path: String)
  case newerLedger(path: String)
  case keyMissing(path: String)
  case keyDamaged(path: String)
  /// The stored bytes do not open with the key and the place they are stored in.
  case sealBroken(ConfigKey)
  /// A row that this version cannot read: table and column.
  case unreadable(table: String, column: String)
  case nameTaken(AppName)
  case keyTaken(fingerprint: String)
  case releaseNotPending(ReleaseVersion)

  public var message: String {
    switch self {
    case .notALedger(let path): "'\(path)' is not a ledger of paas"
    case .newerLedger(let path): "the ledger '\(path)' was written by a newer version of paas"
    case .keyMissing(let path): "the config key '\(path)' is missing, and the ledger holds values sealed with it"
    case .keyDamaged(let path): "the config key '\(path)' does not hold 32 bytes"
    case .sealBroken(let key): "the stored value of config var \(key) cannot be opened with this installation's key"
    case .unreadable(let table, let column): "the ledger's \(table).\(column) holds something this version cannot read"
    case .nameTaken(let name): "the name '\(name)' is taken"
    case .keyTaken(let fingerprint): "the key \(fingerprint) is already registered"
    case .releaseNotPending(let version): "release \(version) is not pending any more"
    }
  }

  public var nextStep: String? {
    switch self {
    case .notALedger: "choose another directory with --data"
    case .newerLedger: "start the version that wrote it, or a later one"
    case .keyMissing, .keyDamaged: "restore it from a backup"
    case .sealBroken: "restore secrets/config.key from a backup, or set the value again"
    case .unreadable: "restore the ledger from a backup"
    case .nameTaken: "choose another name"
    case .keyTaken: "see `paas keys`"
    case .releaseNotPending: nil
    }
  }
}
