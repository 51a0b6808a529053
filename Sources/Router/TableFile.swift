import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Wire

/// The routing table on disk: a whole table as JSON, and behind it, a line each, the differences since. A change costs
/// what it changes; now and then the whole is written anew.
final class TableFile: Sendable {
  let path: String
  /// Bytes behind the whole table, and of the file; `nil` before this process has written it whole.
  private let added = Mutex<(since: Int, whole: Int)?>(nil)

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

  /// One JSON text, or a whole table and differences line by line. A last line that was not written to its end does not
  /// count: it was never acknowledged.
  static func decode(_ bytes: [UInt8]) throws -> RoutingTable {
    do {
      return try Wire.decode(RoutingTable.self, from: Data(bytes))
    } catch {
      let lines = bytes.split(separator: UInt8(ascii: "\n"))
      guard lines.count > 1, let first = lines.first else { throw error }
      var table = try Wire.decode(RoutingTable.self, from: Data(first))
      for line in lines.dropFirst() {
        guard let change = try? Wire.decode(RoutingTable.self, from: Data(line)) else { break }  // torn, see above
        guard change.base == table.generation else { break }
        table.apply(change)
      }
      return table
    }
  }

  /// Whole and durable, or not at all.
  func write(_ table: RoutingTable) throws {
    let bytes = try Wire.encode(table) + Data("\n".utf8)
    try Files.writeDurably(bytes, to: path, mode: 0o600)
    added.withLock { $0 = (0, bytes.count) }
  }

  /// A table that has come from the server, durable when this returns. `whole` makes the whole of it.
  func add(_ table: RoutingTable, whole: () -> RoutingTable) throws {
    let known = added.withLock { $0 }
    guard table.base != nil, let known, known.since < max(known.whole, 1 << 20) else { return try write(whole()) }
    let bytes = try Wire.encode(table) + Data("\n".utf8)
    let descriptor = try checked("open '\(path)'") { open(path, O_WRONLY | O_APPEND | O_CLOEXEC) }
    defer { close(descriptor) }
    try bytes.withUnsafeBytes { memory in
      let count = try checked("write '\(path)'") { Int32(Glibc.write(descriptor, memory.baseAddress, memory.count)) }
      guard Int(count) == memory.count else { throw RouterError.badTable(path: path, reason: "the disk is full") }
    }
    try checked("make '\(path)' durable") { fdatasync(descriptor) }
    added.withLock { $0 = (known.since + bytes.count, known.whole) }
  }

  func remove() {
    unlink(path)
    added.withLock { $0 = nil }
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

extension RoutingTable {
  /// This table with the difference taken in.
  mutating func apply(_ change: RoutingTable) {
    let gone = Set(change.removed ?? []).union(change.apps.map(\.id))
    apps.removeAll { gone.contains($0.id) }
    apps += change.apps
    generation = change.generation
    bootID = change.bootID
  }
}
