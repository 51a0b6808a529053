import Glibc

/// A named line that a crash test stops at. In a debug build, a process whose environment says
/// `PAAS_CHECKPOINT=NAME` and `PAAS_CHECKPOINT_FILE=PATH` makes the file and stops itself (SIGSTOP) when it first
/// reaches the line of that name; the test then ends it with SIGKILL. A release build contains none of this.
public enum Checkpoint {
  /// Names a line. Costs nothing in a release build.
  @inline(__always)
  public static func reach(_ name: StaticString) {
    #if DEBUG
      guard let wanted = getenv("PAAS_CHECKPOINT"), let path = getenv("PAAS_CHECKPOINT_FILE") else { return }
      guard String(cString: wanted) == name.description else { return }
      let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard file >= 0 else { return }  // reached before: once is enough
      close(file)
      raise(SIGSTOP)  // to this thread: it stops here, not when another thread has taken the signal
    #endif
  }
}
