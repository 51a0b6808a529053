import Platform
import Store

/// Names that no app can have: the platform's own.
struct ReservedNames: Sendable, Equatable {
  /// Apps are served at `NAME.DOMAIN`.
  var domain: String
  /// Hosts of the API and of SSH, and what the operator has kept; addresses among them are no names, and left out.
  private var hosts: Set<DomainName>
  private var wildcards: [DomainName]

  init(domain: String, hosts: [String]) {
    let domain = domain.lowercased()
    self.domain = domain
    // What is no name cannot be claimed, and needs no keeping.
    let names = (hosts + ["localhost", domain, "*.\(domain)"]).compactMap { try? DomainName($0) }
    self.hosts = Set(names)
    wildcards = names.filter { $0.isWildcard && $0.description != "*.\(domain)" }
  }

  /// It is one of them, lies below a wildcard among them, or is a wildcard that would stand for one of them.
  func holds(_ host: DomainName) -> Bool {
    if hosts.contains(host) || wildcards.contains(where: { $0.covers(host) }) { return true }
    return host.isWildcard && hosts.contains { host.covers($0) }
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
    let refusal = reservation(wanted, by: account, reserved: reserved) { label in
      apps.first { $0.name.description == label }
    }
    if let refusal { throw refusal }
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

  /// What the platform's own names say about a claim; `holder`: who has the default name with this label.
  static func reservation(
    _ wanted: NameClaim, by account: Account, reserved: ReservedNames, holder: (String) -> AppRecord?
  ) -> ClaimRefusal? {
    if reserved.holds(wanted.host) { return .reserved }
    guard let (label, isBelow) = reserved.label(of: wanted.host) else { return nil }
    let isOwn = label == wanted.app.name.description
    if isBelow {
      // Cookies of a name reach the names below it, so those are for whoever has it.
      return isOwn || account.isAdmin ? nil : .reserved
    }
    // A default name itself is its app's for good; a path of it can be shared.
    guard wanted.prefix != nil, let app = holder(label) else { return isOwn ? .held : .reserved }
    if app.id == wanted.app.id || account.isAdmin || app.owner.id == account.id { return nil }
    return .overlaps(app.app, owner: app.owner.id, name: wanted.host.description)
  }

  /// ``check(_:by:among:apps:reserved:)`` with its answer as a value.
  static func refusal(
    of wanted: NameClaim, by account: Account, among held: [DomainRecord], apps: [AppRecord], reserved: ReservedNames
  ) -> ClaimRefusal? {
    do throws(ClaimRefusal) {
      try check(wanted, by: account, among: held, apps: apps, reserved: reserved)
      return nil
    } catch {
      return error
    }
  }
}
