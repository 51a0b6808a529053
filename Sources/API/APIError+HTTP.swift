import HTTPTypes
import Hummingbird
import NIOCore
import Platform
import Wire

extension APIError {
  /// The status that belongs to an error's id (Heroku, "Error Responses").
  var status: HTTPResponse.Status {
    switch id {
    case "bad_request": .badRequest
    case "unauthorized": .unauthorized
    case "forbidden": .forbidden
    case "not_found": .notFound
    case "conflict": .conflict
    case "too_large": .contentTooLarge
    case "invalid_params", "release_failed": .unprocessableContent
    case "locked": HTTPResponse.Status(code: 423, reasonPhrase: "Locked")
    case "upgrade_required": HTTPResponse.Status(code: 426, reasonPhrase: "Upgrade Required")
    case "rate_limit": .tooManyRequests
    case "not_implemented": .notImplemented
    case "unavailable": .serviceUnavailable
    default: .internalServerError
    }
  }

  static func badRequest(_ message: String, next: String? = nil) -> APIError {
    APIError(id: "bad_request", message: message, next: next)
  }

  static func invalid(_ message: String, next: String? = nil) -> APIError {
    APIError(id: "invalid_params", message: message, next: next)
  }

  /// What a client hears of any error; `nil` for those that are our fault, whose text stays in the log.
  init?(hearing error: any Error) {
    switch error {
    case let error as APIError: self = error
    case let error as NameError: self = .invalid(error.message, next: error.nextStep)
    case let error as DeployFailure:
      self.init(id: "release_failed", message: "\(error.code.rawValue): \(error.message)", next: error.nextStep)
    case let error as HTTPError where error.status == .notFound:
      self.init(id: "not_found", message: "there is no such resource")
    case let error as HTTPError where (400..<500).contains(error.status.code):
      self = .badRequest(error.body ?? error.status.reasonPhrase)
    case is NIOTooManyBytesError:
      self.init(id: "too_large", message: "the body is larger than \(Wire.maximumJSON) bytes")
    case is StreamRecordError: self = .badRequest("the body is not a stream of records")
    default: return nil
    }
  }
}
