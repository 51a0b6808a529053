import Platform
import Router

/// Reads flags that the server and the router alone share.
enum RouterFlags {
  /// `192.0.2.0/24,2001:db8::/32`; empty: none.
  static func networks(_ text: String) throws(StartError) -> [String] {
    var result: [String] = []
    for word in words(text) {
      do throws(NameError) {
        result.append(try Network(word).description)
      } catch {
        throw StartError("--trusted-proxies: \(error.message)", next: error.nextStep)
      }
    }
    return result
  }

  static func hosts(_ text: String) throws(StartError) -> [String] {
    var result: [String] = []
    for word in words(text) {
      do throws(NameError) {
        result.append(try DomainName(word).description)
      } catch {
        throw StartError("--reserved-domains: \(error.message)", next: error.nextStep)
      }
    }
    return result
  }

  /// Where apps are served, as `NAME.DOMAIN`; in the one form in which names are compared.
  static func domain(_ text: String) throws(StartError) -> String {
    if let address = try? Network(text), !text.contains("/") {  // no address: what it is comes below
      throw StartError(
        "--domain \(address) is an address, and apps are served at NAME.DOMAIN",
        next: "give a name whose subdomains lead here; without DNS of your own: --domain localhost")
    }
    let name: DomainName
    do throws(NameError) { name = try DomainName(text) } catch {
      throw StartError("--domain: \(error.message)", next: error.nextStep)
    }
    if name.isWildcard {
      throw StartError("--domain \(name) is a wildcard", next: "give the name behind '*.': apps are served below it")
    }
    // The longest label of an app and its dot go before it.
    guard name.description.utf8.count <= 253 - 64 else {
      throw StartError("--domain has \(name.description.utf8.count) bytes", next: "give a name of 189 at most")
    }
    return name.description
  }

  /// `1` or `true`; unset, empty, `0` and `false` are off.
  static func isOn(_ variable: String, _ environment: [String: String]) throws(StartError) -> Bool {
    switch environment[variable]?.lowercased() ?? "" {
    case "", "0", "false", "no", "off": return false
    case "1", "true", "yes", "on": return true
    default: throw StartError("\(variable) is neither on nor off", next: "for example: \(variable)=1")
    }
  }

  /// `PAAS_ROUTER_…`.
  static func limits(_ environment: [String: String]) throws(StartError) -> RouterLimits {
    do throws(SettingError) {
      return try RouterLimits(environment: environment)
    } catch {
      throw StartError(error.message, next: error.nextStep)
    }
  }

  private static func words(_ text: String) -> [String] {
    text.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
  }
}
