import Glibc
import Linux
import Platform
import Synchronization
import Testing

@testable import GitReceiver

@Suite("What a push may cost")
struct GitPackLimitsTests {
  private func refusal(_ pack: [UInt8], _ change: (inout PackLimits) -> Void) throws -> GitError {
    var limits = PackLimits()
    change(&limits)
    let directory = try TemporaryDirectory()
    return try #require(throws: GitError.self) { _ = try indexed(pack, in: directory, limits: limits) }
  }

  private func pack(_ objects: [[UInt8]]) throws -> [UInt8] {
    var pack = PackBuilder(count: UInt32(objects.count))
    for object in objects { try pack.object(3, object) }
    return pack.finished
  }

  @Test("a limit that is exceeded is named with its value and its setting")
  func named() throws {
    let three = try pack([[1], [2], [3]])
    let objects = try refusal(three) { $0.objects = 2 }
    #expect(objects.kind == .limit)
    #expect(objects.message == "the pack announces 3 objects: the limit is 2 (PAAS_PUSH_OBJECTS)")
    let bytes = try refusal(three) { $0.packBytes = 30 }
    #expect(bytes.message == "the pack is too large: the limit is 30 bytes (PAAS_PUSH_PACK_BYTES)")
    let large = try pack([[UInt8](repeating: 0, count: 3000)])
    let object = try refusal(large) { $0.objectBytes = 2000 }
    #expect(
      object.message == "an object of 3000 bytes is in the pack: the limit is 2000 bytes (PAAS_PUSH_OBJECT_BYTES)")
    let inflated = try refusal(large) { $0.inflatedBytes = 2000 }
    #expect(inflated.message == "the pack inflates to too much: the limit is 2000 bytes (PAAS_PUSH_INFLATED_BYTES)")
    let time = try refusal(large) { $0.time = .seconds(-1) }
    #expect(time.message == "the push takes too long: the limit is -1 s (PAAS_PUSH_SECONDS)")
    for error in [objects, bytes, object, inflated, time] { #expect(error.nextStep != nil) }
  }

  @Test("a repository that is not the platform's has wider limits, and names no setting that nobody reads there")
  func standalone() throws {
    let own = PackLimits.standalone(maximumInputSize: 30)
    let wide = PackLimits.standalone(maximumInputSize: nil)
    let platform = PackLimits()
    #expect(own.packBytes == 30 && wide.packBytes > platform.packBytes)
    #expect(wide.objects > platform.objects && wide.objectBytes > platform.objectBytes)
    #expect(wide.inflatedBytes > platform.inflatedBytes && wide.time > platform.time)
    let three = try pack([[1], [2], [3]])
    let bytes = try refusal(three) { $0 = own }
    #expect(bytes.message == "the pack is too large: the limit is 30 bytes (receive.maxInputSize)")
    for setting in PackLimits.Setting.allCases {
      #expect(!wide.exceeded(setting, "it is too much", next: "").message.contains("PAAS_"))
    }
  }

  @Test("settings come from the environment, and nonsense is refused")
  func settings() throws {
    let limits = try PackLimits(environment: [
      "PAAS_PUSH_PACK_BYTES": "1000", "PAAS_PUSH_OBJECTS": "7", "PAAS_PUSH_OBJECT_BYTES": "99999999999",
      "PAAS_PUSH_INFLATED_BYTES": "5", "PAAS_PUSH_DELTA_DEPTH": "50", "PAAS_PUSH_SECONDS": "60", "HOME": "/",
      "PAAS_PUSH_REMADE_BYTES": "17",
    ])
    #expect(limits.packBytes == 1000)
    #expect(limits.objects == 7)
    #expect(limits.objectBytes == Int(UInt32.max) >> 1)
    #expect(limits.inflatedBytes == 5)
    #expect(limits.deltaDepth == 50)
    #expect(limits.time == .seconds(60))
    #expect(limits.remadeBytes == 17)
    for bad in ["", "0", "-1", "many", "1e9"] {
      let error = #expect(throws: SettingError.self) { try PackLimits(environment: ["PAAS_PUSH_OBJECTS": bad]) }
      #expect(error?.message.contains("PAAS_PUSH_OBJECTS") == true)
    }
    #expect(throws: SettingError.self) { try PackLimits(environment: ["PAAS_PUSH_OBJEKTS": "1"]) }
  }

  @Test("a delta that would make too large an object is refused before anything is made")
  func largeResult() throws {
    var pack = PackBuilder(count: 2)
    try pack.object(3, [1, 2, 3])
    let distance = pack.offset - 12
    // Makes 1 TiB, it says.
    try pack.object(6, deltaSize(3) + deltaSize(1 << 40) + [0x90, 3], base: PackBuilder.distance(distance))
    let error = try refusal(pack.finished) { _ in }
    #expect(error.message.hasPrefix("an object of 1048576 MiB is in the pack"))
  }

  @Test("bases that are made again and again end at a limit")
  func remade() async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory, commits: 20)
    // Deltas by id have no weight, so that a base may have to be made twice when nothing is held.
    let pack = try await git("pack-objects", "--all", "--stdout", "-q", "--depth=50", "--window=50").output
    let error = try refusal(pack) {
      $0.heldBytes = 0
      $0.remadeBytes = 1
    }
    #expect(error.message.contains("PAAS_PUSH_REMADE_BYTES"))
  }
}

@Suite("Large objects")
struct GitLargeObjectTests {
  /// Bytes that hardly compress.
  private func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
  }

  @Test("a blob beyond what is kept in memory, and a delta on top of it, get git's ids", arguments: [4096, Int.max])
  func deltaOnLarge(piece: Int) throws {
    let directory = try TemporaryDirectory()
    let base = noise(PackLimits.largeObject + 12_345, seed: 1)
    var pack = PackBuilder(count: 2)
    try pack.object(3, base)
    let size = base.count
    // Copies all of it, 64 KiB at a time, and adds a byte.
    var delta = deltaSize(size) + deltaSize(size + 1)
    for start in stride(from: 0, to: size, by: 0x10000) {
      let length = min(0x10000, size - start)
      delta +=
        [0xBF] + (0..<4).map { UInt8(start >> (8 * $0) & 0xFF) } + [UInt8(length & 0xFF), UInt8(length >> 8 & 0xFF)]
    }
    delta += [1, 42]
    let distance = pack.offset - 12
    try pack.object(6, delta, base: PackBuilder.distance(distance))
    let contents = try indexed(pack.finished, in: directory, piece: piece)
    let id = { (data: [UInt8]) in try data.withUnsafeBytes { try hash($0, kind: .blob) } }
    #expect(contents.kind(of: try id(base)) == .blob)
    #expect(contents.kind(of: try id(base + [42])) == .blob)
    #expect(contents.count == 2)
  }

  @Test("a large object lives in a file that leaves no name behind")
  func mapped() throws {
    let directory = try TemporaryDirectory()
    let pool = BufferPool(directory: directory.path)
    let buffer = try pool.take(PackLimits.largeObject + 1)
    buffer.writable[PackLimits.largeObject] = 7
    #expect(buffer.isMapped)
    #expect(buffer.bytes[PackLimits.largeObject] == 7)
    #expect(try Files.names(in: directory.path).isEmpty)
    let small = try pool.take(10)
    #expect(!small.isMapped && small.count == 10)
    pool.give(small)
    #expect(try pool.take(900) === small)
  }
}

/// A client that reads nothing: whoever writes to it waits.
private final class SilentTransport: GitTransport {
  var writes = 0
  var offers = 0
  var takes = false
  let isClosed = false

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int { 0 }
  func write(_ bytes: UnsafeRawBufferPointer) throws { writes += 1 }
  func writeError(_ bytes: [UInt8]) throws { writes += 1 }

  func offer(_ bytes: [UInt8], toError: Bool) throws -> Bool {
    offers += 1
    return takes
  }
}

@Suite("Turns of the indexers")
struct IndexerTurnsTests {
  @Test("a note to a client that does not read is left out, and the next one is tried", arguments: [true, false])
  func notesDoNotWait(multiplexed: Bool) {
    let transport = SilentTransport()
    let client = SideBand(transport, multiplexed: multiplexed)
    client.note("Checking objects: 1%\r")
    transport.takes = true
    client.note("Checking objects: 2%\r")
    #expect(transport.offers == 2 && transport.writes == 0)
    #expect(!client.isGone)
  }

  @Test("a further pack waits, is told so, and goes on when one has ended")
  func waits() throws {
    let turns = IndexerTurns(1)
    let order = Mutex<[String]>([])
    let note: @Sendable (String) -> Void = { text in order.withLock { $0.append(text) } }
    let isTaken = Mutex(false)
    inParallel([0, 1]) { number in
      if number == 0 {
        try? turns.take(free: false, waiting: {}, check: {}) {
          isTaken.withLock { $0 = true }
          // Until the other has been told.
          while !order.withLock({ $0.contains("told") }) { sched_yield() }
          note("first")
        }
      } else {
        while !isTaken.withLock({ $0 }) { sched_yield() }
        try? turns.take(free: true, waiting: { note("never") }, check: {}) { note("free") }
        try? turns.take(free: false, waiting: { note("told") }, check: {}) { note("second") }
      }
    }
    #expect(order.withLock { $0 } == ["free", "told", "first", "second"])
  }
}
