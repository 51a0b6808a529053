import Platform

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

  /// `1` or `true`; unset, empty, `0` and `false` are off.
  static func isOn(_ variable: String, _ environment: [String: String]) throws(StartError) -> Bool {
    switch environment[variable]?.lowercased() ?? "" {
    case "", "0", "false", "no", "off": return false
    case "1", "true", "yes", "on": return true
    default: throw StartError("\(variable) is neither on nor off", next: "for example: \(variable)=1")
    }
  }

  private static func words(_ text: String) -> [String] {
    text.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
  }
}
