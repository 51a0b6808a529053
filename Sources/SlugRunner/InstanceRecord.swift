import FoundationEssentials
import Glibc
import Linux
import Platform

/// All that a new server needs to go on with an instance of a dead one; `instance.json` in the instance's directory.
struct InstanceRecord: Codable, Sendable {
  var id: InstanceID
  /// As applied, without a meaning for `quantity`.
  var workload: Workload
  var index: Int
  var hostUser: UInt32
  var address: Address?
  /// The machine's boot in which the processes below were started.
  var bootID: String
  /// Counts starts from 1; part of the container's id, so that two starts are never taken for each other.
  var attempt = 1
  var process: ProcessIdentity?
  var monitor: ProcessIdentity?
  /// Since when this attempt is up.
  var upSince: Timestamp?
  /// It was up in this or an earlier attempt: from then on a crash is followed by a restart.
  var wasUp = false
  var policy = RestartPolicy()
  /// Somebody wants it gone.
  var stopping = false

  var name: String { "\(workload.key.process).\(index)" }

  func instance(_ state: Instance.State) -> Instance {
    Instance(
      id: id, key: workload.key, index: index, release: workload.release, state: state, address: address,
      pid: process?.pid)
  }

  func save(in directory: EngineDirectory) throws {
    try Files.writeDurably(JSONEncoder().encode(self), to: "\(directory.instance(id))/instance.json")
  }

  static func load(_ id: InstanceID, in directory: EngineDirectory) throws -> InstanceRecord {
    let bytes = try Files.read("\(directory.instance(id))/instance.json")
    return try JSONDecoder().decode(InstanceRecord.self, from: Data(bytes))
  }
}

/// Where the engine keeps what, under the data directory. Everything on the way to a bundle or a layer may be entered
/// by the apps' users (0711), nothing may be listed.
struct EngineDirectory: Sendable {
  let data: String
  var root: String { data + "/engine" }
  var exits: String { root + "/exits" }
  var leases: String { root + "/leases.json" }
  var bootID: String { root + "/boot_id" }
  var unpacked: String { root + "/unpacked" }
  var instances: String { root + "/instances" }
  var oneOffs: String { root + "/oneoffs" }

  func instance(_ id: InstanceID) -> String { "\(instances)/\(id)" }
  func oneOff(_ id: InstanceID) -> String { "\(oneOffs)/\(id)" }
  func unpacked(_ app: AppID) -> String { "\(unpacked)/\(app)" }
  func logs(_ app: AppID) -> String { "\(data)/logs/\(app)" }

  func log(_ record: InstanceRecord) -> String {
    "\(logs(record.workload.key.app))/\(record.name).\(record.id).log"
  }

  func make() throws {
    for path in [root, exits, unpacked, instances, oneOffs] { try Self.makeEnterable(path) }
  }

  /// A directory that every user may enter and nobody else may list, whatever our umask is.
  static func makeEnterable(_ path: String) throws {
    try Files.makeDirectory(path)
    try checked("set the mode of '\(path)'") { chmod(path, 0o711) }
  }
}
