import CLinux
import Glibc
import Linux
import Platform
import Synchronization

/// The terminal we were started from, in raw mode: every key goes to the other side, Ctrl-C too.
final class Terminal: Sendable {
  private let original: Mutex<termios?>

  private init(original: termios) { self.original = Mutex(original) }

  /// Switches standard input to raw mode (termios(3), cfmakeraw). ``restore()`` switches back.
  static func raw() throws -> Terminal {
    var original = termios()
    try checked("read the terminal's mode") { tcgetattr(STDIN_FILENO, &original) }
    var raw = original
    cfmakeraw(&raw)
    try checked("set the terminal's mode") { tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) }
    return Terminal(original: original)
  }

  /// Once; later calls do nothing.
  func restore() {
    original.withLock { mode in
      guard var wanted = mode else { return }
      tcsetattr(STDIN_FILENO, TCSADRAIN, &wanted)
      mode = nil
    }
  }

  static func size() -> TerminalSize? {
    var columns: UInt16 = 0
    var rows: UInt16 = 0
    guard paas_is_terminal_size(STDOUT_FILENO, &columns, &rows) == 0 else { return nil }
    return TerminalSize(columns: columns, rows: rows)
  }

  /// Calls `body`, on a thread of its own, whenever the terminal's size changes (SIGWINCH).
  static func onResize(_ body: @escaping @Sendable (TerminalSize) -> Void) {
    var ends: [Int32] = [-1, -1]
    guard paas_pipe(&ends) == 0 else { return }
    let reader = ends[0]
    resizePipe.store(ends[1], ordering: .relaxed)
    signal(SIGWINCH) { _ in
      // Only what a signal handler may do: one atomic load and one write.
      var byte: UInt8 = 0
      write(resizePipe.load(ordering: .relaxed), &byte, 1)
    }
    startThread {
      var byte: UInt8 = 0
      while true {
        let count = read(reader, &byte, 1)
        if count < 0, errno == EINTR { continue }
        guard count == 1 else { return }
        if let size = size() { body(size) }
      }
    }
  }
}

/// Where the signal handler tells the thread.
private let resizePipe = Atomic<Int32>(-1)
