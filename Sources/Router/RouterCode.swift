/// The codes a request can end with that an app's developer sees in the log, and mostly on the page. H codes are
/// Heroku's ("Heroku Error Codes").
enum RouterCode: String, Sendable, Equatable {
  case appCrashed = "H10"
  case requestTimeout = "H12"
  case closedWithoutResponse = "H13"
  case noWebProcesses = "H14"
  case idleConnection = "H15"
  case badResponse = "H17"
  case serverInterrupted = "H18"
  case connectTimeout = "H19"
  case connectionRefused = "H21"
  case clientInterrupted = "H27"
  case maintenance = "H80"
  case blankApp = "H81"
  case platformError = "H99"

  /// `desc="…"` in the log line.
  var description: String {
    switch self {
    case .appCrashed: "App crashed"
    case .requestTimeout: "Request timeout"
    case .closedWithoutResponse: "Connection closed without response"
    case .noWebProcesses: "No web processes running"
    case .idleConnection: "Idle connection"
    case .badResponse: "Poorly formed HTTP response"
    case .serverInterrupted: "Server Request Interrupted"
    case .connectTimeout: "Backend connection timeout"
    case .connectionRefused: "Backend connection refused"
    case .clientInterrupted: "Client Request Interrupted"
    case .maintenance: "Maintenance mode"
    case .blankApp: "Blank app"
    case .platformError: "Platform error"
    }
  }
}

/// An answer of the router's own.
struct ErrorPage: Sendable, Equatable {
  let status: Int
  let code: RouterCode?
  let title: String
  let detail: String

  static func unavailable(_ code: RouterCode) -> ErrorPage {
    switch code {
    case .maintenance:
      ErrorPage(status: 503, code: code, title: "Offline for maintenance", detail: "Please come back in a while.")
    case .blankApp:
      ErrorPage(
        status: 503, code: code, title: "Nothing here yet",
        detail: "This app exists, and nothing was deployed to it so far: git push paas main")
    case .platformError:
      ErrorPage(
        status: 503, code: code, title: "Starting",
        detail: "The platform is starting and does not know its routes yet. Please try again in a moment.")
    default:
      ErrorPage(
        status: 503, code: code, title: "Application error",
        detail: "An error occurred in the application. If you are its owner, look at its log: paas logs")
    }
  }

  static let unknownHost = ErrorPage(
    status: 404, code: nil, title: "No such app", detail: "There is no app at this address.")

  static func badRequest(_ status: Int, _ detail: String) -> ErrorPage {
    ErrorPage(status: status, code: nil, title: "Bad request", detail: detail)
  }

  /// The page; nothing in it comes from the request.
  var html: String {
    let code = code.map { "<p><code>\($0.rawValue)</code> \($0.description)</p>" } ?? ""
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><title>\(title)</title></head>
      <body><h1>\(title)</h1><p>\(detail)</p>\(code)</body></html>

      """
  }
}
