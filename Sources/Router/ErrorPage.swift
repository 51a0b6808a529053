/// An answer of the router's own.
struct ErrorPage: Sendable, Equatable {
  var status: Int
  var code: RouterCode?
  var title: String
  var detail: String
  /// Further fields, each with its line end.
  var fields = ""
  /// The app's own page, in place of ours.
  var custom: String?
  /// It was no proper request, so where the next one would begin cannot be known.
  var endsConnection = false

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
        detail: "The platform is starting and does not know its routes yet. Please try again in a moment.",
        fields: "Retry-After: 1\r\n")
    case .backlog:
      ErrorPage(
        status: 503, code: code, title: "Too busy", detail: "Too many requests are waiting. Please try again soon.",
        fields: "Retry-After: 1\r\n")
    case .clientIdle:
      ErrorPage(status: 408, code: code, title: "Request timeout", detail: "The request did not arrive in time.")
    default:
      ErrorPage(
        status: 503, code: code, title: "Application error",
        detail: "An error occurred in the application. If you are its owner, look at its log: paas logs")
    }
  }

  static let unknownHost = ErrorPage(
    status: 404, code: nil, title: "No such app", detail: "There is no app at this address.")

  static let slowHead = ErrorPage(
    status: 408, code: nil, title: "Request timeout", detail: "The request did not arrive in time.")

  static let tooLarge = ErrorPage(
    status: 413, code: nil, title: "Too large", detail: "The body of the request is larger than this app allows.")

  static let tooMany = ErrorPage(
    status: 503, code: .backlog, title: "Too busy",
    detail: "This app serves as many requests at once as it may. Please try again soon.",
    fields: "Retry-After: 1\r\n")

  static let forbidden = ErrorPage(
    status: 403, code: nil, title: "Forbidden", detail: "This app is not open to your address.")

  static func refused(_ fault: RequestFault) -> ErrorPage {
    let fields =
      fault == .connect ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" : ""
    return ErrorPage(
      status: fault.status, code: nil, title: "Bad request", detail: fault.detail, fields: fields,
      endsConnection: true)
  }

  static func unauthorized(_ app: String) -> ErrorPage {
    ErrorPage(
      status: 401, code: nil, title: "Password needed", detail: "This app asks for a name and a password.",
      fields: "WWW-Authenticate: Basic realm=\"\(app)\", charset=\"UTF-8\"\r\n")
  }

  static func moved(to location: String, isPermanent: Bool) -> ErrorPage {
    ErrorPage(
      status: isPermanent ? 308 : 307, code: nil, title: "Moved", detail: "This page is at another address now.",
      fields: "Location: \(location)\r\n")
  }

  var reason: String {
    switch status {
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 417: "Expectation Failed"
    case 431: "Request Header Fields Too Large"
    case 505: "HTTP Version Not Supported"
    default: "Service Unavailable"
    }
  }
}

/// In which form a client likes an ``ErrorPage`` (RFC 9110 section 12.5.1).
enum PageFormat: Sendable, Equatable {
  case html, json, text

  /// The first of the list that we have; what browsers and tools send needs no weighing.
  init(accept: String?) {
    self = .html
    for part in (accept ?? "").lowercased().split(separator: ",") {
      let words = part.split(separator: ";").map { String($0.filter { $0 != " " && $0 != "\t" }) }
      guard let type = words.first, !words.dropFirst().contains("q=0") else { continue }
      if type == "text/html" || type == "*/*" || type == "application/xhtml+xml" { return }
      if type == "application/json" || type.hasSuffix("+json") {
        self = .json
        return
      }
      if type == "text/plain" {
        self = .text
        return
      }
    }
  }

  var contentType: String {
    switch self {
    case .html: "text/html; charset=utf-8"
    case .json: "application/json"
    case .text: "text/plain; charset=utf-8"
    }
  }
}

extension ErrorPage {
  /// The page's body. Nothing in it comes from the request but its id, which is letters, digits and hyphens.
  func body(_ format: PageFormat, requestID: String?) -> String {
    let code = code.map { "\($0.rawValue) \($0.description)" }
    switch format {
    case .html:
      if let custom { return custom }
      let mark = code.map { "<p><code>\($0)</code></p>" } ?? ""
      let id = requestID.map { "<p><small>Request \($0)</small></p>" } ?? ""
      return """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\
        <title>\(title)</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;\
        padding:0 1em;color:#222;background:#fff}small,code{color:#666}@media(prefers-color-scheme:dark){body{\
        color:#ddd;background:#111}}</style></head>
        <body><h1>\(title)</h1><p>\(detail)</p>\(mark)\(id)</body></html>

        """
    case .json:
      let id = requestID.map { ", \"request_id\": \"\($0)\"" } ?? ""
      let name = self.code.map { "\"\($0.rawValue)\"" } ?? "\"\(status)\""
      return "{\"id\": \(name), \"message\": \"\(title). \(detail)\"\(id)}\n"
    case .text:
      return [title, detail, code, requestID.map { "Request \($0)" }].compactMap { $0 }.joined(separator: "\n") + "\n"
    }
  }
}
