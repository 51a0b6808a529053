import FoundationEssentials
import Glibc
import Linux
import Platform
import Synchronization
import Wire

/// The routing table on disk: a whole table as JSON, and behind it, a line each, the differences since. A change costs
/// what it changes; now and then the whole is written anew.
///
/// The room for the differences is written too, with zeros: a line that makes the file longer waits for the file
/// system's journal, which takes five times as long as the line.
final class TableFile: Sendable {
  let path: String
  /// Where the next line goes, and where the room ends; `nil` before this process has written it whole.
  private let free = Mutex<Range<Int>?>(nil)
  private static let room = 1 << 20

  init(path: String) { self.path = path }

  /// `nil`: there is none. Throws ``RouterError`` for one that cannot be read.
  func read() throws -> RoutingTable? {
    let bytes: [UInt8]
    do {
      bytes = try Files.read(path, limit: Wire.maximumTable * 2)
    } catch {
      if error.number == ENOENT { return nil }
      throw RouterError.noTable(path: path, reason: error.message)
    }
    do {
      return try Self.decode(bytes)
    } catch {
      throw RouterError.badTable(path: path, reason: Self.explained(error))
    }
  }

  /// One JSON text, or a whole table and differences line by line, up to the first zero. A last line that was not written
  /// to its end does not count: it was never acknowledged.
  static func decode(_ bytes: [UInt8]) throws -> RoutingTable {
    let text = bytes.prefix { $0 != 0 }
    do {
      return try Wire.decode(RoutingTable.self, from: Data(text))
    } catch {
      let lines = text.split(separator: UInt8(ascii: "\n"))
      guard lines.count > 1, let first = lines.first else { throw error }
      var table = try Wire.decode(RoutingTable.self, from: Data(first))
      var apps: [AppID: RoutedApp] = [:]
      for app in table.apps { apps[app.id] = app }
      for line in lines.dropFirst() {
        guard let change = try? Wire.decode(RoutingTable.self, from: Data(line)) else { break }  // torn, see above
        guard change.base == table.generation else { break }
        for id in change.removed ?? [] { apps[id] = nil }
        for app in change.apps { apps[app.id] = app }
        table.generation = change.generation
        table.bootID = change.bootID
      }
      table.apps = apps.values.sorted { $0.id < $1.id }
      return table
    }
  }

  /// Whole and durable, or not at all.
  func write(_ table: RoutingTable) throws {
    let bytes = try Wire.encode(table) + Data("\n".utf8)
    try Files.writeDurably(bytes + Data(count: Self.room), to: path, mode: 0o600)
    free.withLock { $0 = bytes.count..<bytes.count + Self.room }
  }

  /// A table that has come from the server, durable when this returns. `whole` makes the whole of it.
  func add(_ table: RoutingTable, whole: () -> RoutingTable) throws {
    guard table.base != nil, let room = free.withLock({ $0 }) else { return try write(whole()) }
    let bytes = try Wire.encode(table) + Data("\n".utf8)
    guard bytes.count <= room.count else { return try write(whole()) }
    let descriptor = try checked("open '\(path)'") { open(path, O_WRONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    try bytes.withUnsafeBytes { memory in
      let count = try checked("write '\(path)'") {
        Int32(pwrite(descriptor, memory.baseAddress, memory.count, room.lowerBound))
      }
      guard Int(count) == memory.count else { throw RouterError.badTable(path: path, reason: "the disk is full") }
    }
    try checked("make '\(path)' durable") { fdatasync(descriptor) }
    free.withLock { $0 = room.lowerBound + bytes.count..<room.upperBound }
  }

  /// Throws when it is still there: an old table must not be found at the next start.
  func remove() throws {
    free.withLock { $0 = nil }
    if unlink(path) != 0, errno != ENOENT { throw RouterError.badTable(path: path, reason: "it cannot be removed") }
  }

  private static func explained(_ error: any Error) -> String {
    switch error {
    case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
      DecodingError.keyNotFound(_, let context), DecodingError.valueNotFound(_, let context):
      context.debugDescription
    default: String(describing: error)
    }
  }
}
