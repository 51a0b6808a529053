import NIOCore
import Wire

/// One request and its response. It finds an instance, or waits for one, and then carries bytes both ways; every end
/// it can come to is in `Exchange+Ends`. An event loop uses its exchanges again and again: after an end nothing of this
/// request may be touched, because the object may carry the next one already.
final class Exchange {
  /// How the request's body ends.
  enum Body {
    case none
    case length(left: Int)
    case chunked(ChunkDecoder)
  }

  let worker: LoopWorker
  /// Tells callbacks of an earlier request from this one's.
  var stamp = 0
  var client: ClientConnection?

  // The request.
  /// As the instance gets it; kept until the end for another attempt and for the log.
  var head = ByteBuffer()
  var written = WrittenRequest()
  var asker = ResponsePlan.Asker()
  var host: HostName?
  var wantsUpgrade = false
  var expectsContinue = false
  var mayResend = false
  var body = Body.none
  var requestEnded = true
  /// Why it is answered without an app having been looked for.
  var refusal: ErrorPage?
  var bytesIn = 0
  /// What of ``bytesIn`` had come when ``judgeBody()`` last looked.
  var judgedBytes = 0

  // The way to an instance.
  var app: LoopApp?
  /// The table that ``app`` was found in.
  var seen: RouteSnapshot?
  /// Counted as in flight from before the connect.
  var upstream: LoopUpstream?
  /// The instance was given back before the end.
  var hasLeft = false
  var connection: UpstreamConnection?
  /// The instance that failed last, for the log.
  var blamed: LoopUpstream?
  /// The one that the client's cookie names.
  var preferred: Backend?
  var retry = RetryPolicy(mayResend: false, hold: .zero)
  /// Instances that refused in this round.
  var tried: [ObjectIdentifier] = []
  /// The next connection must be a new one.
  var needsFresh = false
  var isConnecting = false
  /// Where it is counted for its app's limit of concurrency.
  var gate: Route.Gate?
  /// Counts the times it was held: only the last one's timer counts.
  var turn = 0
  /// Where the worker keeps it while it is held.
  var heldIndex = 0
  var isHeld = false {
    didSet { if isHeld != oldValue { worker.heldChanged(self, isHeld: isHeld) } }
  }

  // The response.
  var plan: ResponsePlan?
  var responseBody = ResponseBody.none
  var status = 0
  /// Something of a response has come, be it interim.
  var sawResponse = false
  var interims = 0
  var bytesOut = 0
  var isOver = true

  // A tunnel.
  var isTunnel = false
  var clientEnded = false
  var upstreamHasEnded = false

  // Times.
  var arrived = NIODeadline.distantPast
  var connected: NIODeadline?
  /// When the request was written to the instance.
  var attached = NIODeadline.distantPast

  init(worker: LoopWorker) { self.worker = worker }

  // MARK: the request, from the client

  /// Copies what is needed out of the head that was just parsed, and writes the head for the instance.
  func prepare(_ inbox: ByteBuffer) {
    let bytes = inbox.readableBytesSpan
    let request = worker.requestHead
    arrived = worker.now
    asker = ResponsePlan.Asker(
      isHead: bytes.isExactly(request.method, "HEAD"), isOld: request.isOld, keepsAlive: request.keepsAlive)
    wantsUpgrade = request.flags.contains(.mayUpgrade)
    expectsContinue = request.flags.contains(.expectsContinue) && !request.isOld
    mayResend = request.mayResend(bytes)
    needsFresh = !mayResend
    retry = RetryPolicy(mayResend: mayResend, hold: worker.limits.hold)
    if request.flags.contains(.chunked) {
      body = .chunked(ChunkDecoder(allowsExtensions: false))
    } else {
      body = request.contentLength > 0 ? .length(left: request.contentLength) : .none
    }
    requestEnded = !request.hasBody
    let stripped = route(bytes, request)
    writeHead(bytes, request, stripped: stripped)
  }

  private func writeHead(_ bytes: RawSpan, _ request: RequestHead, stripped: Int) {
    guard let client else { return }
    let writer = RequestWriter(
      origin: client.origin, now: worker.clock.wall(arrived) / 1000, random: worker.randomWords(),
      stripped: stripped, upgrades: wantsUpgrade)
    head.clear()
    var result = WrittenRequest()
    var overflowed = false
    head.writeWithUnsafeMutableBytes(
      minimumWritableBytes: RequestWriter.bound(request, origin: client.origin)
    ) { memory in
      var out = ByteWriter(memory)
      result = writer.write(request, bytes, to: &out)
      overflowed = out.overflowed
      return out.count
    }
    written = result
    if overflowed { refusal = .refused(.tooLarge) }
  }

  /// A part of the request would be taken now.
  var acceptsBody: Bool {
    guard !isOver, !requestEnded, let connection else { return false }
    return connection.isWritable
  }

  struct Taken {
    var bytes: Int
    var fault: ErrorPage?
  }

  /// Passes on what has come of the body. The caller moves on by ``Taken/bytes``.
  func takeBody(_ inbox: ByteBuffer) -> Taken {
    if plan != nil { awaitBytes() }
    switch body {
    case .none: return Taken(bytes: 0)
    case .length(let left):
      let count = min(left, inbox.readableBytes)
      if let piece = inbox.getSlice(at: inbox.readerIndex, length: count) { connection?.write(piece) }
      bytesIn &+= count
      body = .length(left: left &- count)
      if left == count { bodyEnded() }
      return Taken(bytes: count)
    case .chunked(var decoder):
      let taken = takeChunks(inbox, &decoder)
      if case .chunked = body { body = .chunked(decoder) }
      return taken
    }
  }

  /// Chunks go on as they are, after they were judged; only the trailer section is written anew.
  private func takeChunks(_ inbox: ByteBuffer, _ decoder: inout ChunkDecoder) -> Taken {
    let bytes = inbox.readableBytesSpan
    var offset = 0
    while true {
      switch decoder.next(bytes, &offset) {
      case .framing, .dropped: break
      case .data(let range): bytesIn &+= range.count
      case .more:
        pass(inbox, offset)
        return Taken(bytes: offset, fault: isTooLarge ? .tooLarge : nil)
      case .malformed: return Taken(bytes: 0, fault: .refused(.chunk))
      case .trailers:
        if isTooLarge { return Taken(bytes: 0, fault: .tooLarge) }
        return takeTrailers(inbox, bytes, offset)
      }
    }
  }

  private var isTooLarge: Bool {
    guard let limit = app?.route.settings.bodyLimit else { return false }
    return bytesIn > limit
  }

  private func takeTrailers(_ inbox: ByteBuffer, _ bytes: RawSpan, _ offset: Int) -> Taken {
    var kept: [ByteRange] = []
    switch TrailerSection.read(bytes, at: offset, keep: { kept.append($0) }) {
    case .incomplete:
      pass(inbox, offset)
      return Taken(bytes: offset)
    case .malformed: return Taken(bytes: 0, fault: .refused(.chunk))
    case .complete(let length):
      pass(inbox, offset)
      var rest = ByteBuffer()
      for range in kept {
        if var line = inbox.getSlice(at: inbox.readerIndex + range.start, length: range.count) {
          rest.writeBuffer(&line)
        }
      }
      rest.writeStaticString("\r\n")
      connection?.write(rest)
      bodyEnded()
      return Taken(bytes: offset &+ length)
    }
  }

  private func pass(_ inbox: ByteBuffer, _ count: Int) {
    guard count > 0, let piece = inbox.getSlice(at: inbox.readerIndex, length: count) else { return }
    connection?.write(piece)
  }

  private func bodyEnded() {
    body = .none
    requestEnded = true
    connection?.flush()
    if plan == nil { awaitFirstByte() } else { awaitBytes() }
  }

  func flushUpstream() { connection?.flush() }

  /// How the instance takes what was written to it.
  var sentUpstream: SentBytes? { connection?.sent }

  func upstreamWritable() {
    guard !isOver else { return }
    if isTunnel { return client?.readIfWanted() ?? () }
    client?.pump()
    if !isOver { connection?.flush() }
    client?.readIfWanted()
  }

  // MARK: waiting

  func awaitFirstByte() { client?.expect(.firstByte, app?.route.settings.firstByte ?? worker.times.firstByte) }

  func awaitBytes() { client?.expect(.idle, app?.route.settings.idle ?? worker.times.idle) }

  func awaitBody() {
    judgedBytes = bytesIn
    client?.expect(.slowBody, min(worker.times.body, app?.route.settings.idle ?? worker.times.idle))
  }

  /// H28 for a body that comes too slowly; H15 when it is the instance that takes nothing of it.
  func judgeBody() {
    guard !isOver, !requestEnded else { return }
    if plan != nil { return awaitBytes() }
    // Who has asked to be told to go on waits rightly.
    if expectsContinue, !sawResponse, bytesIn == 0 { return timedOut(.requestTimeout) }
    let moved = bytesIn &- judgedBytes
    let isBlocked = !(connection?.isWritable ?? false)
    if isBlocked, moved == 0 { return client?.isSending() == true ? () : timedOut(.idleConnection) }
    guard isBlocked || moved >= worker.limits.bodyBytes else { return timedOut(.clientIdle) }
    awaitBody()
  }
}
