import Glibc
import Logging
import Platform
import Wire

/// Does what the server asks of the receiver. Every kind of work is idempotent, and comes again until it is answered.
struct WorkLoop: Sendable {
  let client: ReceiverClient
  let repositories: Repositories
  let closeSessions: @Sendable (_ fingerprint: String) -> Void
  let logger: Logger

  /// On a thread of its own, until the process ends.
  func run() {
    var started = false
    while true {
      do {
        if !started {
          try catchUp()
          started = true
        }
        for work in try client.work() { try client.answer(perform(work), to: work) }
      } catch {
        logger.debug("server not reached", metadata: ["error": "\(error)"])
        usleep(250_000)
      }
    }
  }

  /// At the start: the ledger's pending ref updates are applied, and what no build can need any more is swept.
  func catchUp() throws {
    for update in try client.pendingRefUpdates(app: nil) {
      do {
        try client.report(try repositories.apply(update), for: update.build)
      } catch {
        // One broken repository does not hold up the others; the update stays pending.
        logger.error("ref update failed", metadata: ["app": "\(update.app)", "error": "\(error)"])
      }
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
