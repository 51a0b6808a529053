import Platform
import Store

/// What the platform adds to an app's environment (docs/conventions.md: "Contracts with app code"). `PORT`, `DYNO` and `HOME`
/// are the engine's.
enum Environment {
  /// Names that belong to the platform: setting them would do nothing, so it is refused.
  static func isReserved(_ key: ConfigKey) -> Bool {
    ["PORT", "DYNO", "HOME"].contains(key.description) || key.description.hasPrefix("PAAS_")
  }

  static func of(_ app: App, _ release: ReleaseRecord, config: ConfigVars) -> [String: String] {
    var result = Dictionary(uniqueKeysWithValues: config.map { ($0.key.description, $0.value) })
    for prefix in ["PAAS_", "HEROKU_"] {
      result[prefix + "APP_ID"] = app.id.description
      result[prefix + "APP_NAME"] = app.name.description
      result[prefix + "RELEASE_VERSION"] = release.version.description
      result[prefix + "RELEASE_CREATED_AT"] = release.createdAt.rfc3339
      result[prefix + "SLUG_COMMIT"] = release.commit?.description
    }
    result["PAAS_APP"] = app.name.description
    return result
  }
}
