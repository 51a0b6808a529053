import FoundationEssentials
import GRDB
import Platform

/// Reads columns into the vocabulary's types; a row that does not fit throws ``StoreError/unreadable(table:column:)``.
struct Columns {
  let row: Row
  let table: String

  init(_ row: Row, _ table: String) {
    self.row = row
    self.table = table
  }

  func text(_ column: String) throws -> String { try need(row[column] as String?, column) }
  func optionalText(_ column: String) -> String? { row[column] as String? }
  func integer(_ column: String) throws -> Int { try need(row[column] as Int?, column) }
  func optionalInteger(_ column: String) -> Int? { row[column] as Int? }
  func time(_ column: String) throws -> Timestamp {
    Timestamp(microseconds: try need(row[column] as Int64?, column))
  }
  func optionalTime(_ column: String) -> Timestamp? { (row[column] as Int64?).map(Timestamp.init(microseconds:)) }

  func id<Resource>(_ column: String, _: ID<Resource>.Type = ID<Resource>.self) throws -> ID<Resource> {
    try need(ID<Resource>(try text(column)), column)
  }
  func optionalID<Resource>(_ column: String, _: ID<Resource>.Type = ID<Resource>.self) throws -> ID<Resource>? {
    try optionalText(column).map { try need(ID<Resource>($0), column) }
  }

  func name<Name: ValidatedName>(_ column: String, _: Name.Type = Name.self) throws -> Name {
    try need(try? Name(try text(column)), column)
  }
  func optionalName<Name: ValidatedName>(_ column: String, _: Name.Type = Name.self) throws -> Name? {
    try optionalText(column).map { try need(try? Name($0), column) }
  }

  func value<Value: RawRepresentable>(_ column: String, _: Value.Type = Value.self) throws -> Value
  where Value.RawValue == String {
    try need(Value(rawValue: try text(column)), column)
  }
  func optionalValue<Value: RawRepresentable>(_ column: String, _: Value.Type = Value.self) throws -> Value?
  where Value.RawValue == String {
    try optionalText(column).map { try need(Value(rawValue: $0), column) }
  }

  func json<Value: Decodable>(_ column: String, _ type: Value.Type) throws -> Value {
    try need(try? JSONDecoder().decode(type, from: Data(try text(column).utf8)), column)
  }

  /// The account that the query joined as `account_id`, `email`, `is_admin`.
  func account() throws -> Account {
    Account(id: try id("account_id"), email: try text("email"), isAdmin: try integer("is_admin") != 0)
  }

  private func need<Value>(_ value: Value?, _ column: String) throws -> Value {
    guard let value else { throw StoreError.unreadable(table: table, column: column) }
    return value
  }
}

/// JSON with sorted keys, as the ledger stores maps.
func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
