import Glibc
import Linux

/// Whose sockets listen on a port: the proof that a request sent there reaches the right process. Anybody on the
/// machine may bind a port; only the kernel's tables say who did.
enum ListeningSockets {
  /// Inodes of the sockets that listen on the port, in the text of /proc/net/tcp or tcp6 (proc(5)). `host`: only on
  /// this address, as it stands there.
  static func inodes(port: Int, host: String? = nil, in table: String) -> Set<String> {
    var found: Set<String> = []
    for line in table.split(separator: "\n").dropFirst() {
      let fields = line.split(separator: " ")
      guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
        Int(fields[1][fields[1].index(after: colon)...], radix: 16) == port,
        host.map({ fields[1][..<colon] == $0 }) ?? true
      else { continue }
      found.insert(String(fields[9]))
    }
    return found
  }

  /// The table's beginning, with all that listen in it: the kernel lists them first (its
  /// Documentation/networking/proc_net_tcp.rst). Behind them stand all connections, tens of thousands that are over
  /// among them when a router is busy, and no app must wait for its start while we read those.
  static func listeners(_ path: String) throws(SystemError) -> String {
    let file = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(file) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 8 << 10)
    while text.count < 256 << 20 {
      let count = try checked("read '\(path)'") { read(file, &buffer, buffer.count) }
      text += buffer[..<count]
      if count == 0 || isBehindListeners(text) { break }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Whether the last whole line is one of a connection.
  static func isBehindListeners(_ text: [UInt8]) -> Bool {
    let newline = UInt8(ascii: "\n")
    guard let end = text.lastIndex(of: newline) else { return false }
    let start = text[..<end].lastIndex(of: newline).map { $0 + 1 } ?? 0
    let fields = text[start..<end].split(separator: UInt8(ascii: " "), maxSplits: 4)
    guard start > 0, fields.count > 3 else { return false }  // the first line is the heading
    return !fields[3].elementsEqual("0A".utf8)
  }

  /// True when something listens on the port and *every* socket that does, on whatever address, belongs to one of the
  /// processes below `root` (its whole pid namespace) or to `root`.
  static func belong(port: Int, to root: Int32) -> Bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map {
      (try? listeners($0)) ?? ""  // a kernel without IPv6 has no tcp6
    }
    var wanted = tables.reduce(into: Set<String>()) { $0.formUnion(inodes(port: port, in: $1)) }
    guard !wanted.isEmpty else { return false }
    for process in (try? ProcessTree.members(of: root)) ?? [] {  // not known: not proved
      wanted.subtract((try? sockets(of: process)) ?? [])  // it ended meanwhile
      if wanted.isEmpty { return true }
    }
    return false
  }

  /// Inodes of the sockets that get what is sent to the port on 127.0.0.1, in the texts of both tables: those on that
  /// address, else those on every address. Sockets on others prove nothing: anybody may have them.
  static func receivers(port: Int, tcp: String, tcp6: String) -> Set<String> {
    let exact = inodes(port: port, host: "0100007F", in: tcp)
      .union(inodes(port: port, host: "0000000000000000FFFF00000100007F", in: tcp6))
    if !exact.isEmpty { return exact }
    let any = inodes(port: port, host: "00000000", in: tcp)
    return any.isEmpty ? inodes(port: port, host: String(repeating: "0", count: 32), in: tcp6) : any
  }

  /// Whether a request to the port on 127.0.0.1 would reach a process that is neither `root` nor below it. Looks twice,
  /// because a socket may be closed between two looks at it. Throws what keeps it from looking.
  static func isForeign(port: Int, to root: Int32) throws(SystemError) -> Bool {
    let first = try foreigners(port: port, to: root)
    if first.isEmpty { return false }
    return try !foreigners(port: port, to: root).intersection(first).isEmpty
  }

  private static func foreigners(port: Int, to root: Int32) throws(SystemError) -> Set<String> {
    let tcp = try listeners("/proc/net/tcp")
    // A kernel without IPv6 has no second table.
    let tcp6 = Files.exists("/proc/net/tcp6") ? try listeners("/proc/net/tcp6") : ""
    var found = receivers(port: port, tcp: tcp, tcp6: tcp6)
    if found.isEmpty { return [] }
    for process in try ProcessTree.members(of: root) {
      do throws(SystemError) {
        found.subtract(try sockets(of: process))
      } catch {
        guard error.meansEnded else { throw error }
      }
    }
    return found
  }

  private static func sockets(of process: Int32) throws(SystemError) -> Set<String> {
    let directory = "/proc/\(process)/fd"
    var found: Set<String> = []
    for name in try Files.names(in: directory) {
      var target = [CChar](repeating: 0, count: 64)
      let count = readlink("\(directory)/\(name)", &target, target.count)
      guard count > 9 else { continue }
      let text = String(decoding: target[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix("socket:["), text.hasSuffix("]") { found.insert(String(text.dropFirst(8).dropLast())) }
    }
    return found
  }

  /// Whether a TCP connection to the port on 127.0.0.1 is accepted by the kernel.
  static func accepts(port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafeBytes(of: &address) { bytes in
      guard let base = bytes.bindMemory(to: sockaddr.self).baseAddress else { return false }
      return connect(descriptor, base, socklen_t(bytes.count)) == 0
    }
  }
}
