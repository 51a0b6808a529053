import Glibc

/// Work on several real threads at once, for blocking or heavy code.
public enum Threads {
  /// Cores that this process may use; 1 at least, 16 at most.
  public static var cores: Int { min(max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1), 16) }
}

/// Runs `work` with each element, each on a thread of its own, the first on the caller's; returns when all have ended.
/// What cannot get a thread runs on the caller's.
public func inParallel<Element: Sendable>(_ elements: [Element], _ work: @escaping @Sendable (Element) -> Void) {
  var threads: [pthread_t] = []
  for element in elements.dropFirst() {
    let box = Unmanaged.passRetained(ThreadBox { work(element) })
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<ThreadBox>.fromOpaque(argument).takeRetainedValue().work()
        return nil
      }, box.toOpaque())
    if result == 0 { threads.append(thread) } else { box.takeRetainedValue().work() }
  }
  if let first = elements.first { work(first) }
  for thread in threads { pthread_join(thread, nil) }
}

private final class ThreadBox {
  let work: @Sendable () -> Void

  init(_ work: @escaping @Sendable () -> Void) { self.work = work }
}
