import Foundation
import Platform
import Testing

@testable import Store

/// A ledger in a directory of its own, which goes with it.
final class TemporaryLedger: Sendable {
  let directory: String
  let store: Store
  let admin: Account

  init() async throws {
    directory = NSTemporaryDirectory() + "store-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    store = try await Store(dataDirectory: directory)
    admin = try #require(try await store.read { try $0.localAdmin() })
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  func app(_ name: String = "hello") async throws -> AppRecord {
    let (name, admin) = (try AppName(name), admin)
    return try await store.write { try $0.createApp(name, owner: admin) }
  }

  func mode(_ name: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")[.posixPermissions] as? Int
  }
}

func key(_ name: String) throws -> ConfigKey { try ConfigKey(name) }

func slug(_ digit: Character = "a") throws -> Slug {
  Slug(digest: try SlugDigest(String(repeating: digit, count: 64)), size: 1000)
}

func deploy(_ slug: Slug, types: ProcessTypes = [.web: "serve"]) -> NewRelease {
  NewRelease(kind: .deploy, description: "Deploy", slug: slug, stack: nil, commit: nil, processTypes: types)
}

func config(_ description: String = "Set") -> NewRelease {
  NewRelease(kind: .config, description: description, slug: nil, stack: nil, commit: nil, processTypes: [:])
}

func commit(_ digit: Character) throws -> CommitID { try CommitID(String(repeating: digit, count: 40)) }

func push(old: CommitID = .zero, new: Character = "b", ref: String = "refs/heads/main") throws -> PushContext {
  PushContext(push: PushID(), ref: try RefName(ref), old: old, new: try commit(new), subject: "a change")
}
