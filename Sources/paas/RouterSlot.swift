import Glibc
import Linux
import Platform
import Wire

/// The files of one router. While one drains the next already serves, so there is more than one place for them. The
/// first has the names that a single router always had.
struct RouterSlot: Sendable, Equatable {
  static let count = 4
  let run: String
  let number: Int

  static func all(in data: DataDirectory) -> [RouterSlot] {
    (1...count).map { RouterSlot(run: data.run, number: $0) }
  }

  private var suffix: String { number == 1 ? "" : "-\(number)" }
  /// What the server knows of it; written before it is started.
  var record: String { "\(run)/router\(suffix).json" }
  /// Locked as long as the router lives: it holds the descriptor, and the kernel lets go when it ends. The router writes
  /// its pid and start time into it before anything else.
  var life: String { "\(run)/router\(suffix).pid" }
  /// Where it hands its listening sockets over.
  var handover: String { "\(run)/handover\(suffix).sock" }
  /// The last table, in the router's own directory.
  var table: String { "\(run)/router/table\(suffix).json" }

  /// Takes the slot, for a router that will inherit the descriptor; `nil` when one lives there.
  func take() throws(SystemError) -> Int32? {
    let file = try checked("open '\(life)'") { open(life, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0, legacyRouter == nil else {
      close(file)
      return nil
    }
    ftruncate(file, 0)
    return file
  }

  /// What a router writes into ``life``.
  static func lifeLine(_ identity: ProcessIdentity) -> [UInt8] { Array("\(identity.pid) \(identity.startTime)\n".utf8) }

  /// The router that lives here; `nil` when none does. Blocks for as long as one takes to say who it is.
  func router(ownedBy uid: UInt32) -> ProcessIdentity? {
    let file = open(life, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return legacyRouter }
    defer { close(file) }
    if flock(file, LOCK_EX | LOCK_NB) == 0 { return legacyRouter }
    if let known = readRecord()?.identity, known.isAlive { return known }
    // A server was killed after it started this one and before it had written down which one.
    let deadline = ContinuousClock.now + .seconds(5)
    while ContinuousClock.now < deadline {
      if let said = said(), said.isAlive, owner(of: said.pid) == uid { return said }
      if flock(file, LOCK_EX | LOCK_NB) == 0 { return nil }
      _ = poll(nil, 0, 10)
    }
    return nil
  }

  func readRecord() -> RouterProcess.Record? {
    guard let bytes = try? Files.read(record, limit: 16 << 10) else { return nil }  // no record: no router
    return try? Wire.decode(RouterProcess.Record.self, from: .init(bytes))  // not ours: no router
  }

  /// Of a server from before there were slots: a router that holds no lock.
  private var legacyRouter: ProcessIdentity? {
    guard let known = readRecord(), known.settings == nil, let identity = known.identity, identity.isAlive else {
      return nil
    }
    return identity
  }

  private func said() -> ProcessIdentity? {
    let text = try? Files.text(life, limit: 100)  // nothing there yet: the caller asks again
    let words = text?.split(whereSeparator: { " \n".contains($0) })
    guard let words, words.count == 2, let pid = Int32(words[0]), let start = UInt64(words[1]) else { return nil }
    return ProcessIdentity(pid: pid, startTime: start)
  }

  /// What a router says about itself is believed only of its own kind of process.
  private func owner(of pid: Int32) -> UInt32? {
    FileStamp("/proc/\(pid)")?.owner
  }
}
