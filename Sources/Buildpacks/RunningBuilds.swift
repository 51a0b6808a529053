internal import Platform

/// The builds that run now, and why one of them is to end early.
actor RunningBuilds {
  enum Reason { case cancelled, timeout }

  private struct Entry {
    var sandbox: String
    var reason: Reason?
  }

  private var builds: [BuildID: Entry] = [:]

  func begin(_ build: BuildID, sandbox: String) { builds[build] = Entry(sandbox: sandbox) }

  /// Marks the build and returns its sandbox's id; `nil` when it does not run. The first reason stays.
  func end(_ build: BuildID, because reason: Reason) -> String? {
    guard let entry = builds[build] else { return nil }
    builds[build]?.reason = entry.reason ?? reason
    return entry.sandbox
  }

  func reason(_ build: BuildID) -> Reason? { builds[build]?.reason }

  /// Forgets the build; returns why it was ended, if it was.
  func finish(_ build: BuildID) -> Reason? { builds.removeValue(forKey: build)?.reason }
}
