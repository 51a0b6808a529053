internal import Archive
internal import FoundationEssentials
internal import Linux
internal import Platform

/// The descriptors that server and build worker meet at; 0 is the source tar, 1 what the pusher reads.
enum WorkerDescriptor {
  /// JSON ``WorkerSummary``, out.
  static let summary: Int32 = 3
  /// The slug, out.
  static let slug: Int32 = 4
  /// JSON ``WorkerOrder``, in: config vars never touch a disk in the clear.
  static let order: Int32 = 5
}

/// Where things stand inside the build sandbox.
enum WorkerPath {
  static let app = "/app"
  static let cache = "/cache"
  static let buildpacks = "/buildpacks"
  /// In memory.
  static let environment = "/env"
  /// On disk, for compilers and package managers that need room.
  static let temporary = "/tmp"
  static let certificates = "/etc/ssl/certs/ca-certificates.crt"
}

/// What the server tells the worker.
struct WorkerOrder: Codable {
  /// Config vars: one file each in ENV_DIR.
  var configVars: [String: String]
  /// What buildpacks see in their environment.
  var environment: [String: String]
  var sourceEntries: Int
  var sourceBytes: Int64

  var sourceLimits: ArchiveLimits { ArchiveLimits(entries: sourceEntries, totalBytes: sourceBytes) }
}

/// What the worker tells the server. It comes out of the sandbox, so the server believes none of it unchecked.
struct WorkerSummary: Codable {
  static let sizeLimit = 1 << 20

  var buildpack: String?
  var processTypes: [String: String] = [:]
  /// Bytes written to ``WorkerDescriptor/slug``.
  var slugBytes: Int64?
  var failure: DeployFailure?
}

/// JSON over descriptors.
enum Message {
  /// Reads to the end of file. Throws when it is longer than the limit or no such message.
  static func read<Value: Decodable>(_ type: Value.Type, from descriptor: Int32, limit: Int) throws -> Value {
    let bytes = try readAll(descriptor, limit: limit)
    return try JSONDecoder().decode(type, from: Data(bytes))
  }

  static func write(_ value: some Encodable, to descriptor: Int32, name: String) throws {
    try Files.writeAll(Array(JSONEncoder().encode(value)), to: descriptor, name: name)
  }
}
