import Foundation
import GRDB
import Platform
import Testing

@testable import Store

@Suite struct LedgerFileTests {
  @Test("ledger and config key are made for their owner only, and the installation keeps its id")
  func modes() async throws {
    let ledger = try await TemporaryLedger()
    #expect(try ledger.mode("paas.db") == 0o600)
    #expect(try ledger.mode("secrets/config.key") == 0o600)
    #expect(try ledger.mode("secrets") == 0o700)
    let again = try await Store(dataDirectory: ledger.directory)
    #expect(again.installation == ledger.store.installation)
    let text = try String(contentsOfFile: ledger.directory + "/installation", encoding: .utf8)
    #expect(text == "\(again.installation)\n")
  }

  @Test("every connection writes with synchronous FULL, in WAL")
  func durability() async throws {
    let ledger = try await TemporaryLedger()
    let (synchronous, journal) = try await ledger.store.write { ledger in
      (
        try Int.fetchOne(ledger.database, sql: "PRAGMA synchronous"),
        try String.fetchOne(ledger.database, sql: "PRAGMA journal_mode")
      )
    }
    #expect(synchronous == 2)
    #expect(journal == "wal")
  }

  @Test("somebody else's database is refused and left alone")
  func foreign() async throws {
    let directory = NSTemporaryDirectory() + "store-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory + "/secrets", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try Data(repeating: 7, count: 32).write(to: URL(fileURLWithPath: directory + "/secrets/config.key"))
    let path = directory + "/paas.db"
    try await DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE theirs (a)") }
    await #expect(throws: StoreError.notALedger(path: path)) { try await Store(dataDirectory: directory) }
  }

  @Test("a ledger without its config key does not open, rather than losing every value")
  func keyMissing() async throws {
    let ledger = try await TemporaryLedger()
    let path = ledger.directory + "/secrets/config.key"
    try FileManager.default.removeItem(atPath: path)
    await #expect(throws: StoreError.keyMissing(path: path)) { try await Store(dataDirectory: ledger.directory) }
  }
}

@Suite struct ConfigSealTests {
  let seal = ConfigSeal(key: Array(repeating: 1, count: 32))

  @Test("a sealed value opens at its place, and nowhere else")
  func places() throws {
    let (app, other) = (AppID(), AppID())
    let sealed = try seal.seal("secret", app: app, name: key("FOO"))
    #expect(try seal.open(sealed, app: app, name: key("FOO")) == "secret")
    #expect(throws: StoreError.sealBroken(try key("FOO"))) { try seal.open(sealed, app: other, name: key("FOO")) }
    #expect(throws: StoreError.sealBroken(try key("BAR"))) { try seal.open(sealed, app: app, name: key("BAR")) }
    let stranger = ConfigSeal(key: Array(repeating: 2, count: 32))
    #expect(throws: StoreError.sealBroken(try key("FOO"))) { try stranger.open(sealed, app: app, name: key("FOO")) }
  }

  @Test("a flipped bit is found")
  func flipped() throws {
    let app = AppID()
    var sealed = try seal.seal("secret", app: app, name: key("FOO"))
    sealed.bytes[0] ^= 1
    #expect(throws: StoreError.sealBroken(try key("FOO"))) { try seal.open(sealed, app: app, name: key("FOO")) }
  }

  @Test("values come back byte for byte, and do not stand in the ledger's files")
  func bytes() async throws {
    let ledger = try await TemporaryLedger()
    let (app, admin) = (try await ledger.app(), ledger.admin)
    let values = ["A": "", "B": "grüße\n\t'\"$", "C": "needle-in-the-ledger"]
    let patch = Dictionary(uniqueKeysWithValues: try values.map { (try key($0.key), String?.some($0.value)) })
    let read = try await ledger.store.write { ledger in
      let release = try ledger.createRelease(config(), app: app.id, by: admin, configFrom: nil, patch: patch)
      return try ledger.config(of: release.id, app: app.id)
    }
    #expect(Dictionary(uniqueKeysWithValues: read.map { ($0.key.description, $0.value) }) == values)
    for name in try FileManager.default.contentsOfDirectory(atPath: ledger.directory) where name.hasPrefix("paas.db") {
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(ledger.directory)/\(name)"))
      #expect(data.range(of: Data("needle-in-the-ledger".utf8)) == nil)
    }
  }
}
