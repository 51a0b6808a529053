import NIOCore
import NIOHTTP1
import Platform
import Synchronization
import Wire

/// One request and its response. It finds an instance, or waits for one, and then carries bytes both ways; every end
/// it can come to is one of ``complete()``, ``answer(_:)``, ``abort(_:)``, ``clientGone()`` and the tunnel's.
final class Exchange {
  let plan: RequestPlan
  let client: ClientConnection
  let worker: LoopWorker
  let arrived = NIODeadline.now()
  var retry: RetryPolicy
  /// Instances that refused in this round.
  var tried: Set<ObjectIdentifier> = []
  /// The next connection must be a new one.
  var needsFresh: Bool
  var app: AppID?
  /// Counted as in flight from before the connect.
  var backend: Backend?
  var upstream: UpstreamConnection?
  var requestEnded: Bool
  var response: ResponsePlan?
  /// Something of a response has come, be it interim.
  var sawResponse = false
  var upgrade: HTTPResponseHead?
  var connectTime: Duration?
  var bytes = 0
  var isOver = false
  var isConnecting = false

  /// Waits for an instance that accepts it.
  var isHeld = false {
    didSet {
      if isHeld != oldValue { worker.counters.held.add(isHeld ? 1 : -1, ordering: .relaxed) }
    }
  }

  init(_ plan: RequestPlan, client: ClientConnection, worker: LoopWorker) {
    self.plan = plan
    self.client = client
    self.worker = worker
    retry = RetryPolicy(mayResend: plan.mayResend, hold: worker.limits.hold)
    needsFresh = !plan.mayResend
    requestEnded = !plan.hasBody
  }

  var elapsed: Duration { Duration(NIODeadline.now() - arrived) }

  // MARK: the request, from the client

  /// A part of the request would be taken now.
  var acceptsPart: Bool {
    guard !isOver, !requestEnded, let upstream else { return false }
    return upstream.isWritable
  }

  /// The client should send more of its request.
  var wantsMore: Bool { acceptsPart }

  func requestPart(_ part: HTTPServerRequestPart) {
    client.countdown.touch()
    switch part {
    case .head: client.cut()  // cannot be: the decoder ends one request before the next
    case .body(let buffer): upstream?.write(.body(.byteBuffer(buffer)))
    case .end:
      requestEnded = true
      upstream?.write(.end(nil))
      upstream?.flush()
      if response == nil { awaitFirstByte() }
    }
  }

  func flushUpstream() { upstream?.flush() }

  func upstreamWritable() {
    client.countdown.touch()
    client.pump()
  }

  // MARK: the connection to the instance

  func attach(_ connection: UpstreamConnection) {
    upstream = connection
    connection.attach(self)
    connectTime = connectTime ?? elapsed
    sawResponse = false
    connection.write(.head(plan.head))
    if !plan.hasBody { connection.write(.end(nil)) }
    connection.flush()
    connection.read()
    if requestEnded { awaitFirstByte() } else { awaitBytes() }
    client.pump()
  }

  private func awaitFirstByte() {
    client.countdown.start(worker.limits.firstByte) { [weak self] in self?.timedOut(.requestTimeout) }
  }

  private func awaitBytes() {
    client.countdown.start(worker.limits.idle) { [weak self] in self?.timedOut(.idleConnection) }
  }

  private func timedOut(_ code: RouterCode) {
    guard !isOver else { return }
    upstream?.close()
    if response != nil { abort(code) } else { answer(.unavailable(code)) }
  }

  // MARK: the response, from the instance

  func received(_ part: HTTPClientResponsePart) {
    guard !isOver else { return }
    sawResponse = true
    switch part {
    case .head(let head): receivedHead(head)
    case .body(let buffer):
      bytes += buffer.readableBytes
      client.countdown.touch()
      client.write(.body(.byteBuffer(buffer)))
    case .end(let trailers):
      if let upgrade { return openTunnel(upgrade) }
      client.write(.end(response?.ending == .chunked ? trailers.map(HeaderRules.forwardedTrailers) : nil))
      complete()
    }
  }

  func receivedAll() {
    guard !isOver else { return }
    client.flush()
    if client.isWritable { upstream?.read() }
  }

  func clientWritable() { upstream?.read() }

  private func receivedHead(_ head: HTTPResponseHead) {
    switch head.status.code {
    case 101 where plan.wantsUpgrade: upgrade = head
    case 100 where !plan.expectsContinue: break
    case 100, 102..<200:
      guard !plan.isOldClient else { return }
      client.write(
        .head(.init(version: .http1_1, status: head.status, headers: HeaderRules.forwardedResponse(head.headers))))
      client.flush()
    default:
      do {
        let response = try ResponsePlan(head, to: plan, mustClose: !requestEnded || worker.isDraining)
        self.response = response
        client.write(.head(response.head))
        awaitBytes()
      } catch {
        upstream?.close()
        answer(.unavailable(.badResponse))
      }
    }
  }

  /// The connection to the instance is gone, before the response was whole.
  func upstreamEnded(malformed: Bool) {
    guard !isOver, let lost = upstream else { return }
    upstream = nil
    if response != nil { return abort(.serverInterrupted) }
    if malformed { return answer(.unavailable(.badResponse)) }
    let failure = RetryPolicy.Failure.closedWithoutResponse(reused: lost.isReused && !sawResponse)
    releaseBackend()
    failed(failure)
  }
}
