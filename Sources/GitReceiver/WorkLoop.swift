import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Wire

/// Does what the server asks of the receiver. Every kind of work is idempotent, and comes again until it is answered.
/// Apps do not wait for one another: what locks a repository for long holds up that app alone.
struct WorkLoop: Sendable {
  let client: ReceiverClient
  let repositories: Repositories
  let closeSessions: @Sendable (_ fingerprint: String) -> Void
  let logger: Logger
  private let queues = AppQueues()

  /// On a thread of its own, until the process ends.
  func run() {
    var started = false
    while true {
      do {
        if !started {
          try catchUp()
          started = true
        }
        take(try client.work())
      } catch {
        logger.debug("server not reached", metadata: ["error": "\(error)"])
        usleep(250_000)
      }
    }
  }

  /// At the start: the ledger's pending ref updates are applied. What cannot be done now stays pending there.
  func catchUp() throws {
    take(
      try client.pendingRefUpdates(app: nil).map {
        ReceiverWork(id: "ref-\($0.build)", app: $0.app, kind: .applyRefUpdate($0))
      })
  }

  /// Closes sessions at once; the rest goes to its app's queue, unless it is there already.
  func take(_ items: [ReceiverWork]) {
    for item in items where Self.isAtOnce(item) { answer(item) }
    for item in items where !Self.isAtOnce(item) {
      if let app = item.app { queues.add(item.id, of: app) { answer(item) } }
    }
  }

  /// It waits for no repository.
  private static func isAtOnce(_ work: ReceiverWork) -> Bool {
    if case .closeSessions = work.kind { return true }
    return work.app == nil
  }

  private func answer(_ work: ReceiverWork) {
    let answer = perform(work)
    do {
      try client.answer(answer, to: work)
    } catch {
      // The server asks again.
      logger.debug("work not answered", metadata: ["work": "\(work.kind)", "error": "\(error)"])
    }
  }

  func perform(_ work: ReceiverWork) -> WorkAnswer {
    do {
      try act(on: work)
      return WorkAnswer(ok: true)
    } catch {
      logger.error("work failed", metadata: ["work": "\(work.kind)", "error": "\(error)"])
      return WorkAnswer(ok: false, reason: (error as? any Explained)?.message ?? "\(error)")
    }
  }

  private func act(on work: ReceiverWork) throws {
    switch work.kind {
    case .closeSessions(let fingerprint): closeSessions(fingerprint)
    case .applyRefUpdate(let update): try client.report(try repositories.apply(update), for: update.build)
    case .keepObjects(let push, let new):
      try repositories.keepObjects(app: try app(of: work), push: push, new: new)
    case .discardQuarantine(let push):
      try repositories.discardQuarantine(app: try app(of: work), push: push)
    case .removeRepository: try repositories.remove(app: try app(of: work))
    }
  }

  private func app(of work: ReceiverWork) throws(SSHError) -> AppID {
    guard let app = work.app else { throw .protocolViolation("work item '\(printable(work.id))' names no app") }
    return app
  }
}

/// Jobs of many apps: those of one app one after the other, in the order they came, those of different apps side by
/// side. An app has a thread while it has jobs.
final class AppQueues: Sendable {
  private struct Job: Sendable {
    var id: String
    var body: @Sendable () -> Void
  }

  private struct State {
    /// Jobs that wait; an app is in here while its thread lives.
    var waiting: [AppID: [Job]] = [:]
    /// Those that wait or run.
    var ids: Set<String> = []
  }

  private let state = Mutex(State())

  /// Puts the job at the end of its app's queue. One of the same id that is not done yet stays alone.
  func add(_ id: String, of app: AppID, _ body: @escaping @Sendable () -> Void) {
    let isFirst = state.withLock { state -> Bool in
      guard state.ids.insert(id).inserted else { return false }
      let isFirst = state.waiting[app] == nil
      state.waiting[app, default: []].append(Job(id: id, body: body))
      return isFirst
    }
    if isFirst { startThread(stackSize: 1 << 20) { self.run(app) } }
  }

  private func run(_ app: AppID) {
    while let job = next(of: app) {
      job.body()
      state.withLock { _ = $0.ids.remove(job.id) }
    }
  }

  private func next(of app: AppID) -> Job? {
    state.withLock { state in
      guard let job = state.waiting[app]?.first else {
        state.waiting[app] = nil
        return nil
      }
      state.waiting[app]?.removeFirst()
      return job
    }
  }
}
