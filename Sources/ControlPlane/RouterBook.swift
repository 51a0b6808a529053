import Linux
import Platform
import Wire

/// Who routes, which of our changes each router has in force, and what is in flight there. A value: it is told the time
/// and who lives.
///
/// Each router has numbers of its own: the one it had when we first heard of it, plus our count of changes. It outlives
/// servers, and must be given numbers that it has not seen; and a number from elsewhere, such as an older table on its
/// disk, must not be taken for one of ours.
struct RouterBook: Sendable {
  /// Who speaks: the router's name, and its process where the kernel told us.
  struct Speaker: Sendable, Equatable {
    var router: String?
    var process: ProcessIdentity?
  }

  struct Entry: Sendable, Equatable {
    var speaker: Speaker
    var base: UInt64 = 0
    /// The latest change that it was sent.
    var given: UInt64 = 0
    /// The latest change that it has in force.
    var acknowledged: UInt64 = 0
    var inFlight: [InstanceID: Int] = [:]
    var isLeaving = false
    var hasReported = false
    var heard: ContinuousClock.Instant

    /// It has said that this change, or a later one, is in force. Change 0 is no table, which nobody can have.
    func has(_ change: UInt64) -> Bool { change > 0 && hasReported && acknowledged >= change }

    /// Which of our changes this number is; `nil` for one that we did not give.
    func change(of generation: UInt64) -> UInt64? {
      guard generation > base, generation - base <= given else { return nil }
      return generation - base
    }
  }

  /// A router of which nothing was heard for this long, and which no process is known to be, is forgotten.
  static let silence = Duration.seconds(90)
  /// More than this many at once are not one machine's.
  private static let limit = 16

  private(set) var entries: [Entry] = []

  /// A process that was just started will route, perhaps with an old table, before it is first heard of.
  mutating func expect(_ process: ProcessIdentity, at now: ContinuousClock.Instant) {
    guard !entries.contains(where: { $0.speaker.process == process }) else { return }
    entries.append(Entry(speaker: Speaker(router: nil, process: process), heard: now))
  }

  mutating func accept(_ report: RouterReport, from process: ProcessIdentity?, at now: ContinuousClock.Instant) {
    let index = index(of: Speaker(router: report.router, process: process), knowing: report.generation, at: now)
    if let change = entries[index].change(of: report.generation) {
      entries[index].acknowledged = max(entries[index].acknowledged, change)
    }
    entries[index].hasReported = true
    entries[index].isLeaving = report.leaving ?? false
    entries[index].inFlight = Dictionary(report.inFlight.map { ($0.instance, $0.requests) }) { $0 &+ $1 }
      .filter { $0.value > 0 }
  }

  /// A router asks for what is newer. The change it has (`nil`: none of ours, it needs everything) and its base.
  mutating func asked(_ speaker: Speaker, after known: UInt64, at now: ContinuousClock.Instant) -> (
    change: UInt64?, base: UInt64
  ) {
    let index = index(of: speaker, knowing: known, at: now)
    return (entries[index].change(of: known), entries[index].base)
  }

  /// It says who it is, here or in its reports: it understands differences.
  func understandsDifferences(_ speaker: Speaker) -> Bool {
    speaker.router != nil || find(speaker).map { entries[$0].speaker.router != nil } ?? false
  }

  mutating func gave(_ change: UInt64, to speaker: Speaker) {
    guard let index = find(speaker) else { return }
    entries[index].given = max(entries[index].given, change)
  }

  mutating func forget(at now: ContinuousClock.Instant, isAlive: (ProcessIdentity) -> Bool) {
    entries.removeAll { entry in
      // One that leaves goes on with what is in flight, and with clients that are connected, until it ends.
      if let process = entry.speaker.process { return !isAlive(process) }
      return now - entry.heard > Self.silence
    }
  }

  /// Somebody routes, and everybody who takes new connections has this change; `nil` when nobody is known.
  func inForce(_ change: UInt64) -> Bool? {
    let serving = entries.filter { !$0.isLeaving }
    return serving.isEmpty ? nil : serving.allSatisfy { $0.has(change) }
  }

  /// This process has reported this change or a later one.
  func inForce(_ change: UInt64, at process: ProcessIdentity) -> Bool {
    entries.contains { $0.speaker.process == process && $0.has(change) }
  }

  /// The change is in force, and those who leave have it too: nobody sends anything to what it is without.
  func isReleased(_ change: UInt64) -> Bool { inForce(change) == true && entries.allSatisfy { $0.has(change) } }

  /// Nobody has a request in flight there, those included who leave.
  func isDrained(_ instances: Set<InstanceID>) -> Bool {
    entries.allSatisfy { $0.inFlight.keys.allSatisfy { !instances.contains($0) } }
  }

  /// When anybody was last heard of.
  var lastHeard: ContinuousClock.Instant? { entries.filter(\.hasReported).map(\.heard).max() }

  private func find(_ speaker: Speaker) -> Int? {
    entries.firstIndex { entry in
      if let router = speaker.router, let known = entry.speaker.router { return router == known }
      if let process = speaker.process, let known = entry.speaker.process { return process == known }
      return entry.speaker == speaker
    }
  }

  /// Finds or makes the entry; moves its base when it has a number that we did not give.
  private mutating func index(of speaker: Speaker, knowing generation: UInt64, at now: ContinuousClock.Instant) -> Int {
    guard let index = find(speaker) else {
      if entries.count >= Self.limit, let oldest = entries.indices.min(by: { entries[$0].heard < entries[$1].heard }) {
        entries.remove(at: oldest)
      }
      entries.append(Entry(speaker: speaker, base: min(generation, Self.highest), heard: now))
      return entries.count - 1
    }
    if entries[index].speaker.router == nil { entries[index].speaker.router = speaker.router }
    if entries[index].speaker.process == nil { entries[index].speaker.process = speaker.process }
    entries[index].heard = now
    // 0 is a router without a table that counts, not a number.
    let isOurs = entries[index].change(of: generation) != nil || generation == entries[index].base || generation == 0
    if !isOurs {
      let spent = entries[index].base + entries[index].given
      entries[index].base = min(max(generation, spent), Self.highest)
      entries[index].given = 0
      entries[index].acknowledged = 0
    }
    return index
  }

  /// Leaves room for every change that a server lives to see.
  private static let highest = UInt64.max / 2
}
