import ControlPlane
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import Platform
import Wire

extension HTTPField.Name {
  static let paasWire = HTTPField.Name(Wire.versionHeader) ?? .upgrade
  static let paasRelease = HTTPField.Name("Paas-Release") ?? .upgrade
}

/// Every answer says which wire it speaks, every error is an ``APIError``, and a peer of another wire is told so.
struct Framing: RouterMiddleware {
  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    var response: Response
    do {
      try checkWire(request)
      response = try await next(request, context)
    } catch {
      response = try answer(to: error, request, context)
    }
    response.headers[.paasWire] = String(Wire.version)
    return response
  }

  private func checkWire(_ request: Request) throws {
    guard let theirs = request.headers[.paasWire], Int(theirs).map(Wire.supported.contains) != true else { return }
    throw APIError(
      id: "upgrade_required",
      message: "this server speaks versions \(Wire.supported.lowerBound) to \(Wire.supported.upperBound) of the wire, "
        + "not '\(printable(theirs))'", next: "use the paas program of the server's version")
  }

  private func answer(to error: any Error, _ request: Request, _ context: APIContext) throws -> Response {
    if let heard = APIError(hearing: error) {
      var headers: HTTPFields = [:]
      if heard.id == "unauthorized" { headers[.wwwAuthenticate] = #"Basic realm="paas""# }
      return try Response.json(heard, status: heard.status, headers: headers)
    }
    context.logger.error(
      "request failed", metadata: ["path": "\(request.uri.path)", "error": "\(String(describing: error))"])
    let next = "see the server's log for the reason"
    let ours = APIError(id: "internal_server_error", message: "the platform failed to answer (H99)", next: next)
    return try Response.json(ours, status: .internalServerError)
  }
}

/// Says who acts: the local admin on the control socket, elsewhere the account of a bearer token, or of a basic
/// token as Heroku's clients send it (any user name, the token as the password).
struct Authentication: RouterMiddleware {
  let door: Door
  let controlPlane: ControlPlane

  func handle(
    _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
  ) async throws -> Response {
    var context = context
    if door == .control {
      context.actor = try await controlPlane.localAdmin()
    } else {
      context.actor = try await account(request)
    }
    return try await next(request, context)
  }

  private func account(_ request: Request) async throws -> Account {
    guard let token = request.token else {
      throw APIError(id: "unauthorized", message: "this needs a token", next: "send 'Authorization: Bearer TOKEN'")
    }
    guard let account = await controlPlane.account(session: token) else {
      throw APIError(id: "unauthorized", message: "the token is not valid, or has ended", next: "log in again")
    }
    return account
  }
}

extension Request {
  /// The token of `Authorization: Bearer TOKEN` or `Basic BASE64(USER:TOKEN)`.
  var token: String? {
    guard let header = headers[.authorization] else { return nil }
    let words = header.split(separator: " ", maxSplits: 1).map(String.init)
    guard words.count == 2 else { return nil }
    switch words[0].lowercased() {
    case "bearer": return words[1]
    case "basic":
      guard let data = Data(base64Encoded: words[1]) else { return nil }
      let text = String(decoding: data, as: UTF8.self)
      return text.firstIndex(of: ":").map { String(text[text.index(after: $0)...]) }
    default: return nil
    }
  }
}
