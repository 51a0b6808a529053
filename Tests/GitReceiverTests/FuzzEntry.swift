import Crypto
import Glibc
import Linux

@testable import GitReceiver

/// The parsers that meet strangers' bytes. libFuzzer calls these functions (`make fuzz`), and a test calls them with
/// the corpus. None may trap, hang, or say two things about the same object.
enum FuzzEntry: String, CaseIterable {
  case pktLine = "pkt-line"
  case pack
  case object
  case exec

  func run(_ bytes: [UInt8]) {
    switch self {
    case .pktLine: Self.packets(bytes)
    case .pack: Self.pack(bytes)
    case .object: Self.object(bytes)
    case .exec: Self.exec(bytes)
    }
  }

  /// A client that sends the bytes in pieces and listens to nothing.
  private final class Client: GitTransport {
    private var bytes: ArraySlice<UInt8>
    private let piece: Int
    let isClosed = false

    init(_ bytes: ArraySlice<UInt8>, piece: Int) {
      self.bytes = bytes
      self.piece = piece
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
      let next = bytes.prefix(min(piece, buffer.count))
      buffer.copyBytes(from: next)
      bytes = bytes.dropFirst(next.count)
      return next.count
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {}
    func writeError(_ bytes: [UInt8]) throws {}
  }

  /// Packets, and the commands of a push.
  private static func packets(_ bytes: [UInt8]) {
    let input = ClientInput(Client(bytes[...], piece: 1 + (bytes.count & 63)), capacity: 64)
    var conversation = ReceivePack()
    do {
      while let packet = try input.packet() {
        if try conversation.receive(packet) == .commandsComplete { break }
      }
    } catch {}  // refusing is right; only traps and hangs are wrong
  }

  /// A pack, with its checksum made right: what is behind that check must be reached.
  private static func pack(_ bytes: [UInt8]) {
    let pack = bytes.count > 32 ? bytes.dropLast(20) + Array(Insecure.SHA1.hash(data: bytes.dropLast(20))) : bytes
    var limits = PackLimits()
    limits.objects = 1000
    limits.objectBytes = 4 << 20
    limits.inflatedBytes = 32 << 20
    let directory = "/tmp/paas-fuzz-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    do {
      try Files.makeDirectory(directory, mode: 0o700)
      defer { try? Files.removeTree(directory) }  // a leftover in /tmp hurts nobody
      let base = Array("# hello\n".utf8)
      let indexer = PackIndexer(limits: limits) { id in
        id.bytes.first == 0xE2 ? (.blob, base) : nil
      }
      _ = try indexer.index(ClientInput(Client(pack[...], piece: 1 + (bytes.count & 63))), into: directory)
    } catch {}  // as above
  }

  /// An object; the first byte says of which kind, and for trees how much of it is the tree it was made from.
  private static func object(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let data = Array(bytes.dropFirst())
    switch first & 7 {
    case 0: check(.commit, data)
    case 1: check(.tag, data)
    case 2: modules(data)
    case 3: _ = FsckSpecialBlobs.hasLongLine(data)
    default: trees(data, split: Int(first >> 3))
    }
  }

  private static func check(_ kind: ObjectKind, _ data: [UInt8]) {
    let strict = verdict(kind, data, .strict)
    let lax = verdict(kind, data, .none)
    precondition(!strict.passed || lax.passed, "strict rules pass what no rules refuse")
    precondition(!strict.passed || strict.links == lax.links, "rules change links")
    if kind == .commit { _ = CommitText(data) }
  }

  private static func modules(_ data: [UInt8]) {
    _ = data.withUnsafeBytes { FsckModules.fault($0) }
  }

  /// A tree must be judged alike with and without the one that it was made from.
  private static func trees(_ data: [UInt8], split: Int) {
    let cut = data.count * split / 31
    let base = Array(data[..<cut])
    check(.tree, base)
    for tree in [Array(data[cut...]), data] {
      check(.tree, tree)
      for rules in [FsckRules.strict, .none] {
        let first = ObjectCheck(rules: rules)
        guard passes(first, .tree, base, like: nil) else { continue }
        let whole = verdict(.tree, tree, rules)
        let passed = passes(first, .tree, tree, like: base)
        precondition(passed == whole.passed, "another verdict with a base")
        precondition(
          !passed || links(first) == whole.links.union(verdict(.tree, base, rules).links), "other links with a base")
      }
    }
  }

  private static func verdict(
    _ kind: ObjectKind, _ data: [UInt8], _ rules: FsckRules
  ) -> (passed: Bool, links: Set<String>) {
    let check = ObjectCheck(rules: rules)
    let passed = passes(check, kind, data, like: nil)
    return (passed, links(check))
  }

  private static func passes(_ check: ObjectCheck, _ kind: ObjectKind, _ data: [UInt8], like base: [UInt8]?) -> Bool {
    data.withUnsafeBytes { data in
      do throws(GitError) {
        guard let base else {
          try check.check(kind, data, id: ObjectID([]))
          return true
        }
        try base.withUnsafeBytes { base in
          Result { () throws(GitError) in try check.check(kind, data, id: ObjectID([]), like: base) }
        }.get()
        return true
      } catch {
        return false
      }
    }
  }

  private static func links(_ check: ObjectCheck) -> Set<String> {
    var found: Set<String> = []
    check.links.forEach { pointer, kind in
      found.insert("\(ObjectID(UnsafeRawBufferPointer(start: pointer, count: ObjectID.length))) \(kind)")
    }
    return found
  }

  /// What an SSH client asks for.
  private static func exec(_ bytes: [UInt8]) {
    guard case .success(let request) = Result(catching: { () throws(ExecRefusal) in try ExecRequest(parsing: bytes) })
    else { return }
    _ = request.wantsTerminal
  }
}
