import CLinux
import Glibc

/// A process that need not be our child, named so that a reused pid is not taken for it: pid and start time.
public struct ProcessIdentity: Hashable, Sendable, Codable {
  public var pid: Int32
  /// Field 22 of /proc/PID/stat: clock ticks since boot (proc(5)).
  public var startTime: UInt64

  public init(pid: Int32, startTime: UInt64) {
    self.pid = pid
    self.startTime = startTime
  }

  /// The identity of a living process (a zombie counts as gone); `nil` when there is none.
  public init?(pid: Int32) {
    guard let text = try? Files.text("/proc/\(pid)/stat"), let close = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: close)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X", let start = UInt64(fields[19]) else { return nil }
    self.init(pid: pid, startTime: start)
  }

  public static var current: ProcessIdentity? { ProcessIdentity(pid: getpid()) }

  /// Still the same process, and alive.
  public var isAlive: Bool { ProcessIdentity(pid: pid) == self }

  /// Signals it only if it still is this process. Returns whether it was.
  @discardableResult
  public func signal(_ number: Int32) -> Bool {
    let descriptor = paas_pidfd_open(pid)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    guard isAlive else { return false }
    return paas_pidfd_send_signal(descriptor, number) == 0
  }

  /// Waits, on a thread of its own, until the process is gone; `false` when the time is over first.
  public func ended(within limit: Duration) async -> Bool {
    let descriptor = paas_pidfd_open(pid)
    guard descriptor >= 0 else { return true }
    guard isAlive else {
      close(descriptor)
      return true
    }
    let milliseconds = Int32(
      clamping: limit.components.seconds * 1000 + limit.components.attoseconds / 1_000_000_000_000_000)
    return await blocking {
      defer { close(descriptor) }
      let deadline = ContinuousClock.now + .milliseconds(Int(milliseconds))
      while true {
        let left = (deadline - .now).components
        let wait = max(0, left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000)
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let count = poll(&waiting, 1, Int32(clamping: wait))
        if count > 0 { return true }
        if count == 0 { return false }
        if errno != EINTR { return false }
      }
    }
  }
}

/// Facts about this boot and this process.
public enum Machine {
  /// The kernel's random id of this boot.
  public static var bootID: String {
    let text = (try? Files.text("/proc/sys/kernel/random/boot_id")) ?? ""
    return text.split(separator: "\n").first.map(String.init) ?? "unknown"
  }

  /// This process's environment, read in one place.
  public static var environment: [String: String] {
    var result: [String: String] = [:]
    var cursor = paas_environment()
    while let entry = cursor?.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        result[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      cursor = cursor?.advanced(by: 1)
    }
    return result
  }

  /// Absolute path of the running program.
  public static func executablePath() throws(SystemError) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = try checked("read '/proc/self/exe'") { readlink("/proc/self/exe", &buffer, buffer.count - 1) }
    return String(decoding: buffer[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

extension Machine {
  /// Gives up for good what this process could still gain by an exec (no_new_privs) and any capability it has.
  /// A kernel that knows neither leaves the process as it is.
  public static func forgoPrivileges() {
    _ = paas_no_new_privileges()
  }

  /// What ps and /proc/PID/comm call this process; 15 bytes at most.
  public static func nameProcess(_ name: String) { paas_name_process(name) }
}
