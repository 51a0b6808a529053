/// The codes a request can end with that an app's developer sees in the log, and mostly on the page. H codes are
/// Heroku's ("Heroku Error Codes").
enum RouterCode: String, Sendable, Equatable {
  case appCrashed = "H10"
  case backlog = "H11"
  case requestTimeout = "H12"
  case closedWithoutResponse = "H13"
  case noWebProcesses = "H14"
  case idleConnection = "H15"
  case badResponse = "H17"
  case serverInterrupted = "H18"
  case connectTimeout = "H19"
  case bootTimeout = "H20"
  case connectionRefused = "H21"
  case clientInterrupted = "H27"
  case clientIdle = "H28"
  case maintenance = "H80"
  case blankApp = "H81"
  case platformError = "H99"

  /// `desc="…"` in the log line.
  var description: StaticString {
    switch self {
    case .appCrashed: "App crashed"
    case .backlog: "Backlog too deep"
    case .requestTimeout: "Request timeout"
    case .closedWithoutResponse: "Connection closed without response"
    case .noWebProcesses: "No web processes running"
    case .idleConnection: "Idle connection"
    case .badResponse: "Poorly formed HTTP response"
    case .serverInterrupted: "Server Request Interrupted"
    case .connectTimeout: "Backend connection timeout"
    case .bootTimeout: "App boot timeout"
    case .connectionRefused: "Backend connection refused"
    case .clientInterrupted: "Client Request Interrupted"
    case .clientIdle: "Client Connection Idle"
    case .maintenance: "Maintenance mode"
    case .blankApp: "Blank app"
    case .platformError: "Platform error"
    }
  }

  /// It is the instance that failed, and fails the next request as well, perhaps.
  var blamesInstance: Bool {
    switch self {
    case .closedWithoutResponse, .badResponse, .serverInterrupted, .connectTimeout, .connectionRefused: true
    default: false
    }
  }
}
