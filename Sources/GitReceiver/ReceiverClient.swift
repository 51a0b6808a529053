import Client
import FoundationEssentials
import Glibc
import Linux
import Logging
import Platform
import Wire

/// The server as the receiver sees it, over `run/receiver.sock`. Every call blocks: for sessions' threads only.
struct ReceiverClient: PushServer {
  let socketPath: String

  /// For the receiver's own routes.
  private var own: BlockingClient { PaasClient(address: .unix(path: socketPath)).blocking }

  /// For the API, as the session's account.
  private func api(_ token: String) -> BlockingClient {
    PaasClient(address: .unix(path: socketPath), token: token).blocking
  }

  // MARK: Sessions

  /// Throws `APIError` for an unknown key. A server that does not answer holds a login up no longer than its grace.
  func authenticate(_ offer: KeyOffer) throws -> Session {
    let body = RequestBody.bytes(Array(try Wire.encode(offer)))
    let headers = ["Content-Type": "application/json"]
    return try own.call(
      ClientRequest(.post, ReceiverRoutes.sessions, headers: headers, body: body, timeout: .seconds(15))
    ).decoded()
  }

  /// Tells the server that the session is over. One that cannot be told forgets it with its next start.
  func endSession(token: String, logger: Logger) {
    do {
      try api(token).delete(ReceiverRoutes.session)
    } catch {
      logger.debug("session not ended", metadata: ["error": "\(error)"])
    }
  }

  // MARK: A push

  func grant(app: AppName, access: RepositoryRequest.Access, token: String) throws -> RepositoryGrant {
    try own.post(ReceiverRoutes.repositories, RepositoryRequest(token: token, app: app, access: access))
  }

  func openBuild(
    app: AppName, token: String, push: PushID, ref: RefName, old: CommitID, new: CommitID, subject: String,
    produce: @escaping @Sendable (Int32) throws -> Void
  ) throws -> BuildResource {
    let headers = [
      "Content-Type": "application/x-tar", PushHeaders.push: "\(push)", PushHeaders.ref: percentEncoded("\(ref)"),
      PushHeaders.old: "\(old)", PushHeaders.new: "\(new)", PushHeaders.subject: Self.encodedSubject(subject),
    ]
    let source = try ProducedBytes(produce)
    let request = ClientRequest(.post, ReceiverRoutes.builds(app: app), headers: headers, body: .sequence(source))
    let answer = Result { try api(token).call(request) }
    let produced = source.end()
    do {
      return try answer.get().decoded(as: BuildResource.self)
    } catch let error as APIError {
      throw error  // the server's own reason, also when it stopped reading
    } catch {
      try produced.get()
      throw error
    }
  }

  /// The description's first line, cut to 200 bytes after encoding, and never inside an escape.
  static func encodedSubject(_ subject: String) -> String {
    var result = ""
    for character in subject.prefix(while: { !$0.isNewline }) {
      let next = percentEncoded(String(character))
      if result.utf8.count + next.utf8.count > 200 { break }
      result += next
    }
    return result
  }

  /// How long the server may be away while a build is followed.
  static let patience: Duration = .seconds(120)

  func followBuild(
    app: AppName, build: BuildID, token: String, body: (StreamRecord) throws -> Void
  ) throws -> (status: Int32, exit: StreamExit) {
    var offset = 0
    var deadline = ContinuousClock.now + Self.patience
    while true {
      var end: (Int32, StreamExit)?
      var refusal: (any Error)?
      do {
        let path = ReceiverRoutes.buildOutput(app: app, build: build, offset: offset)
        try api(token).records(ClientRequest(.get, path)) { record in
          deadline = .now + Self.patience
          if record.kind == .exit { return end = Self.exit(record) }
          if record.kind != .keepAlive { offset += record.encoded.count }
          do { try body(record) } catch {
            refusal = error
            throw error
          }
        }
      } catch {
        if let refusal { throw refusal }
        guard error is ClientError, ContinuousClock.now < deadline else { throw error }
      }
      if let end { return end }
      guard ContinuousClock.now < deadline else { throw ClientError.connectionLost(.unix(path: socketPath)) }
      usleep(200_000)
    }
  }

  private static func exit(_ record: StreamRecord) -> (Int32, StreamExit) {
    let details = try? Wire.decode(StreamExit.self, from: Data(record.payload.dropFirst(4)))
    // Details that cannot be read: the ledger knows, and the pending ref update tells.
    return (
      record.exitStatus ?? 1,
      details ?? StreamExit(committed: false, code: .platformError, reason: "unreadable end of build")
    )
  }

  func pendingRefUpdates(app: AppID?) throws -> [RefUpdate] { try own.get(ReceiverRoutes.refUpdates(app: app)) }

  func report(_ outcome: RefUpdateOutcome, for build: BuildID) throws {
    try own.post(ReceiverRoutes.refUpdateOutcome(build), outcome)
  }

  // MARK: Work

  /// Waits up to 25 s for something to do.
  func work() throws -> [ReceiverWork] { try own.get(ReceiverRoutes.work, timeout: .seconds(60)) }

  func answer(_ answer: WorkAnswer, to work: ReceiverWork) throws {
    try own.post(ReceiverRoutes.workAnswer(percentEncoded(work.id)), answer)
  }
}
