import Platform
import Store
import Wire

/// How many of what run, as values.
enum FormationPlan {
  static let maximumQuantity = 100

  /// The rows when a release with these types goes live under this launch: what is scaled stays scaled; a new `web`
  /// gets one, every other new type none. `release` is a phase, not something that runs.
  static func next(_ rows: [FormationRecord], types: ProcessTypes, launch: LaunchID) -> [FormationRecord] {
    types.keys.filter { $0 != .release }.sorted().map { type in
      let quantity = rows.first { $0.type == type }?.quantity ?? (type == .web ? 1 : 0)
      return FormationRecord(type: type, quantity: quantity, launch: launch)
    }
  }

  /// The rows after `ps:scale`. Throws an ``APIError`` for a type that is not there or a number out of range.
  static func scaled(_ rows: [FormationRecord], by update: FormationUpdate, types: ProcessTypes) throws(APIError)
    -> [FormationRecord]
  {
    var rows = rows.filter { types[$0.type] != nil }
    for change in update.updates {
      guard let index = rows.firstIndex(where: { $0.type.description == change.type }) else {
        let known = rows.map(\.type.description).joined(separator: ", ")
        throw APIError(
          id: "not_found", message: "process type '\(printable(change.type))' does not exist",
          next: known.isEmpty ? "push an app first" : "the app has: \(known)")
      }
      let (sum, overflow) = rows[index].quantity.addingReportingOverflow(change.quantity)
      let quantity = change.relative == true ? (overflow ? -1 : sum) : change.quantity
      guard (0...maximumQuantity).contains(quantity) else {
        throw .invalid("\(change.type) cannot be scaled to \(quantity)", next: "0 to \(maximumQuantity) are possible")
      }
      rows[index].quantity = quantity
    }
    return rows
  }

  /// The rows of `after` with more instances than before, and those with fewer.
  static func difference(_ before: [FormationRecord], _ after: [FormationRecord]) -> (
    grown: [FormationRecord], shrunk: [FormationRecord]
  ) {
    let old = Dictionary(before.map { ($0.type, $0.quantity) }) { first, _ in first }
    return (
      after.filter { $0.quantity > old[$0.type] ?? 0 }, after.filter { $0.quantity < old[$0.type] ?? 0 }
    )
  }

  /// The rows that a restart of `web.1`, `web` or everything starts anew.
  static func restarted(_ rows: [FormationRecord], dyno: String?, types: ProcessTypes) throws(APIError)
    -> [FormationRecord]
  {
    let running = rows.filter { types[$0.type] != nil && $0.quantity > 0 }
    guard let dyno else { return running }
    let parts = dyno.split(separator: ".", omittingEmptySubsequences: false)
    let chosen = running.filter { row in
      guard parts.count <= 2, parts.first.map(String.init) == row.type.description else { return false }
      return parts.count == 1 || Int(parts[1]).map { (1...row.quantity).contains($0) } == true
    }
    if chosen.isEmpty { throw .notFound("process", dyno, next: "see `paas ps`") }
    return chosen
  }
}
