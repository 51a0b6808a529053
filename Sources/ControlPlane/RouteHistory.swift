import Platform
import Wire

/// The routes that are out, and when each app's last changed: what a router lacks can be told without the rest.
struct RouteHistory: Sendable {
  private struct Entry: Sendable {
    var app: RoutedApp
    var changed: UInt64
  }

  /// Our own count of changes; 0 before the first table.
  private(set) var change: UInt64 = 0
  private var entries: [AppID: Entry] = [:]
  private var removals: [(change: UInt64, app: AppID)] = []
  /// Removals up to this change are forgotten: who is further behind gets everything.
  private var horizon: UInt64 = 0
  /// How many removals are remembered.
  static let removalsKept = 1000

  /// Takes the routes in; they count as one change if anything in them differs. Returns whether it does.
  mutating func publish(_ apps: [RoutedApp]) -> Bool {
    let changed = apps.filter { entries[$0.id]?.app != $0 }
    let present = Set(apps.map(\.id))
    let gone = entries.keys.filter { !present.contains($0) }
    guard change == 0 || !changed.isEmpty || !gone.isEmpty else { return false }
    change += 1
    if !changed.isEmpty, !removals.isEmpty {
      let back = Set(changed.map(\.id))
      removals.removeAll { back.contains($0.app) }
    }
    for app in changed { entries[app.id] = Entry(app: app, changed: change) }
    for app in gone {
      entries[app] = nil
      removals.append((change, app))
    }
    let surplus = removals.count - Self.removalsKept
    if surplus > 0 {
      horizon = removals[surplus - 1].change
      removals.removeFirst(surplus)
    }
    return true
  }

  /// Every app, by name.
  var whole: [RoutedApp] { entries.values.map(\.app).sorted { $0.name < $1.name } }

  func has(_ app: AppID) -> Bool { entries[app] != nil }

  /// What differs from the routes of that change; `nil` when that is not known any more.
  func difference(since known: UInt64) -> (changed: [RoutedApp], removed: [AppID])? {
    guard known > 0, known >= horizon, known <= change else { return nil }
    let changed = entries.values.filter { $0.changed > known }.map(\.app).sorted { $0.name < $1.name }
    return (changed, removals.filter { $0.change > known }.map(\.app))
  }
}
