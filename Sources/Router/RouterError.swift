public import Platform

/// Why the router cannot start.
public enum RouterError: Error, Explained, Equatable {
  case noListener
  case noTable(path: String, reason: String)
  case badTable(path: String, reason: String)
  case listen(reason: String)
  case badNetwork(String)

  public var message: String {
    switch self {
    case .noListener: "the router has no socket to listen on"
    case .noTable(let path, let reason): "cannot read the routing table '\(path)': \(reason)"
    case .badTable(let path, let reason): "the routing table '\(path)' is not one: \(reason)"
    case .listen(let reason): "cannot listen for HTTP: \(reason)"
    case .badNetwork(let text): "the trusted proxy '\(printable(text))' is neither an IP address nor a network"
    }
  }

  public var nextStep: String? {
    switch self {
    case .noListener, .listen: "give the router an address with --http ADDRESS:PORT"
    case .badNetwork: "write it as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7"
    case .noTable, .badTable: "name a JSON file of the shape in docs/wire.md with --table"
    }
  }
}
