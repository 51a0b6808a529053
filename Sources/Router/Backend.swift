import NIOCore
import Platform
import Synchronization
import Wire

/// One instance as the router counts it. It outlives the tables that name it, until its last request has ended.
final class Backend: Sendable {
  let endpoint: Endpoint
  /// `nil`: the endpoint's host is not an IP address.
  let address: SocketAddress?
  /// What a sticky cookie says to come back here: nothing about the instance can be read from it.
  let cookie: [UInt8]
  /// Requests and tunnels on it, from before the connect to after the last byte.
  private let count = Atomic<Int>(0)
  private let tunnelCount = Atomic<Int>(0)
  private let left = Atomic<Bool>(false)
  /// There is something in `health` that a success would clear.
  private let isSuspect = Atomic<Bool>(false)
  private let health = Mutex(Ejection())
  /// Called, on any thread, when a request ends on a backend that has left the table.
  private let drained: @Sendable () -> Void

  init(_ endpoint: Endpoint, drained: @escaping @Sendable () -> Void) {
    self.endpoint = endpoint
    address = try? SocketAddress(ipAddress: endpoint.address.host, port: endpoint.address.port)  // answered H19
    // The same in every router: clients keep it.
    let hash = HostTable.hash(Array(endpoint.instance.description.utf8), seed: 0xcbf2_9ce4_8422_2325)
    cookie = Array(String(hash, radix: 36).utf8)
    self.drained = drained
  }

  var inFlight: Int { count.load(ordering: .acquiring) }
  /// Requests whose response is not finished; tunnels last and do not wait for anything.
  var waiting: Int { inFlight - tunnelCount.load(ordering: .relaxed) }
  /// It is no longer in the table: nothing new goes there.
  var isRetired: Bool { left.load(ordering: .acquiring) }

  func retire() { left.store(true, ordering: .releasing) }

  func acquire() { count.add(1, ordering: .acquiringAndReleasing) }

  func release() {
    let rest = count.subtract(1, ordering: .acquiringAndReleasing).newValue
    if rest == 0, isRetired { drained() }
  }

  func tunnelOpened() { tunnelCount.add(1, ordering: .relaxed) }
  func tunnelClosed() { tunnelCount.subtract(1, ordering: .relaxed) }

  // MARK: health

  func succeeded() {
    guard isSuspect.load(ordering: .relaxed) else { return }
    health.withLock { health in
      health.succeeded()
      isSuspect.store(false, ordering: .relaxed)
    }
  }

  func failed(at now: NIODeadline) {
    health.withLock { health in
      health.failed(at: now)
      isSuspect.store(true, ordering: .relaxed)
    }
  }

  /// It may be chosen: it is well, or its time away is over and this request is the one that tries.
  func mayTake(at now: NIODeadline) -> Bool {
    guard isSuspect.load(ordering: .relaxed) else { return true }
    return health.withLock { $0.mayTake(at: now) }
  }

  func isEjected(at now: NIODeadline) -> Bool {
    isSuspect.load(ordering: .relaxed) && health.withLock { $0.isEjected(at: now) }
  }
}

/// Passive health: an instance that fails several times in a row gets nothing for a while, then one request that tries
/// it, and each time that fails the while doubles.
struct Ejection: Sendable, Equatable {
  /// Failures in a row.
  static let threshold = 3
  static let shortest = TimeAmount.seconds(1)
  static let longest = TimeAmount.seconds(30)
  /// How long one trial may be under way before another is let through.
  static let trial = TimeAmount.seconds(5)

  private var failures = 0
  private var pause = Self.shortest
  private var until: NIODeadline?
  /// One request is on its way to see how it is.
  private var isTrying = false

  mutating func succeeded() { self = Ejection() }

  mutating func failed(at now: NIODeadline) {
    failures += 1
    guard failures >= Self.threshold else { return }
    // Further failures of requests that were under way already do not lengthen it.
    if let until, now < until, !isTrying { return }
    if isTrying { pause = min(pause + pause, Self.longest) }
    isTrying = false
    until = now + pause
  }

  func isEjected(at now: NIODeadline) -> Bool { until.map { now < $0 } ?? false }

  /// True lets one request through, and nobody else until it has ended or ``trial`` is over.
  mutating func mayTake(at now: NIODeadline) -> Bool {
    guard let end = until else { return true }
    guard now >= end else { return false }
    until = now + Self.trial
    isTrying = true
    return true
  }
}

/// Which instance takes the next request.
enum Balancer {
  /// The one with the fewest requests in flight; between equals, a turning start keeps the first of the list from
  /// taking all. `load` of `nil` is excluded. Returns an index, or `nil` when all are.
  static func leastLoaded(_ count: Int, turn: Int, load: (Int) -> Int?) -> Int? {
    guard count > 0 else { return nil }
    var best: (index: Int, load: Int)?
    var index = turn % count
    for _ in 0..<count {
      if let mine = load(index), mine < best?.load ?? .max { best = (index, mine) }
      index = index + 1 == count ? 0 : index + 1
    }
    return best?.index
  }

  /// The first one from the turn on that is not excluded.
  static func next(_ count: Int, turn: Int, load: (Int) -> Int?) -> Int? {
    guard count > 0 else { return nil }
    for step in 0..<count {
      let index = (turn + step) % count
      if load(index) != nil { return index }
    }
    return nil
  }
}
