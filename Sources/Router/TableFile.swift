import FoundationEssentials
import Glibc
import Linux
import Wire

/// The routing table on disk.
struct TableFile: Sendable {
  let path: String

  /// `nil`: there is none. Throws ``RouterError`` for one that cannot be read.
  func read() throws -> RoutingTable? {
    let bytes: [UInt8]
    do {
      bytes = try Files.read(path)
    } catch {
      if error.number == ENOENT { return nil }
      throw RouterError.noTable(path: path, reason: error.message)
    }
    do {
      return try Wire.decode(RoutingTable.self, from: Data(bytes))
    } catch {
      throw RouterError.badTable(path: path, reason: Self.explained(error))
    }
  }

  /// Whole and durable, or not at all.
  func write(_ table: RoutingTable) throws {
    try Files.writeDurably(try Wire.encode(table), to: path, mode: 0o600)
  }

  func remove() { unlink(path) }

  private static func explained(_ error: any Error) -> String {
    switch error {
    case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
      DecodingError.keyNotFound(_, let context), DecodingError.valueNotFound(_, let context):
      context.debugDescription
    default: String(describing: error)
    }
  }
}
