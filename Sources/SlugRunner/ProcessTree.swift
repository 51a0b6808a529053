import Glibc
import Linux

/// The processes of one sandbox. Whatever is in its pid namespace descends from its first process, because orphans go
/// to that one.
enum ProcessTree {
  struct Entry {
    var pid: Int32
    var parent: Int32
    var command: String
  }

  /// `root` and everything below it. Throws when not all can be looked at, for example for want of descriptors.
  static func members(of root: Int32) throws(SystemError) -> [Int32] { try entries(of: root).map(\.pid) }

  /// A shell that waits for its children.
  struct WaitingShell {
    var shell: ProcessIdentity
    var children: [ProcessIdentity]
  }

  /// Sends SIGTERM to everything in the sandbox except its init, and except shells that wait for a child: were those to
  /// end, the sandbox would, and the child would have no time to finish. Returns these shells; each is due its own
  /// SIGTERM once its children are gone.
  static func terminate(_ root: ProcessIdentity) -> [WaitingShell] {
    guard root.isAlive else { return [] }
    let all = (try? entries(of: root.pid)) ?? []  // SIGKILL comes after the grace
    let children = Dictionary(grouping: all, by: \.parent)
    let shells: Set<String> = ["sh", "bash", "dash"]
    var waiting: [WaitingShell] = []
    for entry in all where entry.pid != root.pid {
      guard let process = ProcessIdentity(pid: entry.pid) else { continue }
      if shells.contains(entry.command), let waitedFor = children[entry.pid] {
        waiting.append(
          WaitingShell(shell: process, children: waitedFor.compactMap { ProcessIdentity(pid: $0.pid) }))
      } else {
        process.signal(SIGTERM)
      }
    }
    return waiting
  }

  private static func entries(of root: Int32) throws(SystemError) -> [Entry] {
    var everything: [Entry] = []
    for pid in try Files.names(in: "/proc").compactMap({ Int32($0) }) {
      do throws(SystemError) {
        if let entry = try entry(pid) { everything.append(entry) }
      } catch {
        guard error.meansEnded else { throw error }
      }
    }
    let children = Dictionary(grouping: everything, by: \.parent)
    var found = everything.filter { $0.pid == root }
    var index = 0
    while index < found.count {
      found.append(contentsOf: children[found[index].pid] ?? [])
      index += 1
    }
    return found
  }

  /// Fields 2 and 4 of /proc/PID/stat; the name stands in parentheses and may hold any character.
  private static func entry(_ pid: Int32) throws(SystemError) -> Entry? {
    let text = try Files.text("/proc/\(pid)/stat")
    guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: close)...].split(separator: " ")
    guard fields.count > 1, let parent = Int32(fields[1]) else { return nil }
    return Entry(pid: pid, parent: parent, command: String(text[text.index(after: open)..<close]))
  }
}

extension SystemError {
  /// What reading in /proc/PID answers for a process that is gone.
  var meansEnded: Bool { number == ENOENT || number == ESRCH }
}
