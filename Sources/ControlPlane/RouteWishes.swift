import FoundationEssentials
import Platform
import Store
import Wire

extension Ledger {
  /// Every app that exists, as the routes see it; three queries, however many apps there are.
  func routeWishes() throws -> [RouteWish] {
    let domains = Dictionary(grouping: try domains(), by: \.app.id)
    let settings = try routeSettings()
    return try liveWebs().map { live in
      RouteWish(
        app: live.app, isDeployed: live.isDeployed, web: live.web, domains: domains[live.app.id] ?? [],
        isInMaintenance: settings[live.app.id]?.isInMaintenance ?? false,
        settings: try settings[live.app.id].flatMap { try $0.decoded.ifAny })
    }
  }
}

extension RouteSettingsRecord {
  var decoded: RouteSettings {
    get throws {
      do {
        return try Wire.decode(RouteSettings.self, from: Data(settings.utf8))
      } catch {
        throw StoreError.unreadable(table: "route_settings", column: "settings")
      }
    }
  }

  init(isInMaintenance: Bool, _ settings: RouteSettings) throws {
    self.init(isInMaintenance: isInMaintenance, settings: String(decoding: try Wire.encode(settings), as: UTF8.self))
  }
}

extension RouteSettings {
  /// `nil` when nothing is set: the table then says nothing about it.
  var ifAny: RouteSettings? { self == RouteSettings() ? nil : self }
}
