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
      var wish = RouteWish(
        app: live.app, isDeployed: live.isDeployed, web: live.web, domains: domains[live.app.id] ?? [],
        isInMaintenance: settings[live.app.id]?.isInMaintenance ?? false)
      do {
        wish.settings = try settings[live.app.id]?.decoded.ifAny
      } catch {
        // One app's settings, such as a newer server's, stop nobody else. Without them it may be open to those it shuts
        // out, so it is shut.
        wish.isInMaintenance = true
        wish.hasUnreadableSettings = true
      }
      return wish
    }
  }

  /// Takes back the redirects of hosts that the app has no more.
  func dropRedirects(from hosts: [String], of app: AppID) throws {
    let record = try routeSettings(of: app)
    // What cannot be read redirects nothing, and is no reason to keep a host.
    guard !hosts.isEmpty, var settings = try? record.decoded, let redirects = settings.redirects else { return }
    let kept = redirects.filter { !hosts.contains($0.host) }
    guard kept.count < redirects.count else { return }
    settings.redirects = kept.isEmpty ? nil : kept
    try setRouteSettings(RouteSettingsRecord(isInMaintenance: record.isInMaintenance, settings), of: app)
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
