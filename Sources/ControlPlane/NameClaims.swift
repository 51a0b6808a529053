import Platform
import Store

/// Names that no app can have: the platform's own.
struct ReservedNames: Sendable, Equatable {
  /// Apps are served at `NAME.DOMAIN`.
  var domain: String
  /// Hosts of the API and of SSH, and what the operator has kept.
  var hosts: Set<String>

  init(domain: String, hosts: [String]) {
    self.domain = domain.lowercased()
    self.hosts = Set(hosts.map { $0.lowercased() }).union(["localhost", self.domain])
  }

  /// The name that the platform gives an app.
  func defaultHost(of app: AppName) -> String { "\(app).\(domain)" }

  /// Whose default name this is, or lies below: `hello` for `hello.DOMAIN` and `a.hello.DOMAIN`; `nil` outside.
  func label(of host: DomainName) -> (app: String, isBelow: Bool)? {
    guard host.description.hasSuffix(".\(domain)") else { return nil }
    let labels = host.description.dropLast(domain.utf8.count + 1).split(separator: ".")
    guard let last = labels.last else { return nil }
    return (String(last), labels.count > 1)
  }
}

/// What somebody wants: a name, or a path of one, for an app.
struct NameClaim: Sendable, Equatable {
  var app: App
  var owner: AccountID
  var host: DomainName
  var prefix: PathPrefix?

  var shown: String { host.description + (prefix?.description ?? "") }
}

/// Why a claim is refused.
enum ClaimRefusal: Error, Equatable {
  /// The app has it already.
  case held
  /// The platform's own.
  case reserved
  /// Another app has this very name.
  case taken(by: App, owner: AccountID, name: String)
  /// Another app, of somebody else, has a name that this one would take from, or that would take from this one.
  case overlaps(App, owner: AccountID, name: String)
}

/// Who may have which name. A host belongs to one app; another app can be mounted below a path of it, or take a name
/// out of a wildcard, only through somebody who may change both.
enum NameClaims {
  static func check(
    _ wanted: NameClaim, by account: Account, among held: [DomainRecord], apps: [AppRecord], reserved: ReservedNames
  ) throws(ClaimRefusal) {
    try checkReserved(wanted, by: account, apps, reserved)
    func mayChange(_ owner: AccountID) -> Bool { account.isAdmin || owner == account.id }
    for other in held where other.host == wanted.host && other.prefix == wanted.prefix {
      throw other.app.id == wanted.app.id
        ? .held : .taken(by: other.app, owner: other.owner, name: other.shown)
    }
    for other in held where other.app.id != wanted.app.id && !mayChange(other.owner) {
      if other.host == wanted.host || other.host.covers(wanted.host) || wanted.host.covers(other.host) {
        throw .overlaps(other.app, owner: other.owner, name: other.shown)
      }
    }
  }

  private static func checkReserved(
    _ wanted: NameClaim, by account: Account, _ apps: [AppRecord], _ reserved: ReservedNames
  ) throws(ClaimRefusal) {
    let host = wanted.host.description
    if reserved.hosts.contains(host) || host == "*.\(reserved.domain)" { throw .reserved }
    // A wildcard above one of the platform's names would stand for it.
    if wanted.host.isWildcard, reserved.hosts.contains(where: { $0.hasSuffix(host.dropFirst()) }) { throw .reserved }
    guard let (label, isBelow) = reserved.label(of: wanted.host) else { return }
    let app = apps.first { $0.name.description == label }
    if isBelow {
      // Cookies of a name reach the names below it, so those are for whoever has it.
      if label == wanted.app.name.description || account.isAdmin { return }
      throw .reserved
    }
    // A default name itself is its app's for good; a path of it can be shared.
    guard let app, wanted.prefix != nil else { throw label == wanted.app.name.description ? .held : .reserved }
    if app.id == wanted.app.id || account.isAdmin || app.owner.id == account.id { return }
    throw .overlaps(app.app, owner: app.owner.id, name: host)
  }
}
