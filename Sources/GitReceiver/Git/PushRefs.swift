import Linux
import Logging
import Platform
import Wire

/// The refs of a push that do not deploy.
///
/// With `--atomic` they are locked before the build starts and move right after the deploy branch: a ref that somebody
/// else has moved, or is moving, refuses the push while nothing is live yet. What remains is what a computer can do to
/// us between the ledger's commit and the move: a full disk, or the receiver's death. Then the release is live, and
/// these refs stay where they were; a disk's error is reported, and the push can be repeated.
final class KeptRefs {
  private let repositories: Repositories
  private let app: AppID
  /// One for all refs of the push: each of its own would read all of `packed-refs` again.
  private let refs: RefFiles
  private var held: RefTransaction?
  private static let moved = "the ref has moved meanwhile; fetch first"
  private static let busy = "somebody else is pushing this ref; try again in a moment"

  init(_ repositories: Repositories, _ app: AppID) {
    self.repositories = repositories
    self.app = app
    refs = repositories.refs(app)
  }

  /// Locks them all, for a push that wants all or nothing; refuses everything when one cannot be locked. Upkeep knows
  /// from here on what they will name: whoever keeps the push's objects does not.
  func lock(_ plan: inout PushPlan, with push: PushID) throws {
    let kept = plan.kept
    guard !kept.isEmpty else { return }
    let updates = try updates(kept, with: push)
    try repositories.locked(app) {
      try Upkeep.expect(plan.tips, by: push, .refs, in: repositories.path(app))
      var transaction = newTransaction()
      for update in updates { transaction.add(update) }
      do {
        try transaction.prepare()
        held = transaction
      } catch let error as RefFailure {
        let culprit = try kept.first { try stands(elsewhere: $0) }
        plan.refuse((culprit ?? kept[0]).command, culprit == nil ? reason(error) : Self.moved)
      }
    }
  }

  /// Moves those that ``lock(_:with:)`` has locked. The push's objects are in the repository.
  func move() throws {
    guard var transaction = held else { return }
    held = nil
    try repositories.locked(app) { try transaction.commit(logs: nil) }
  }

  /// Lets go of what is locked.
  func release() {
    held?.abort()
    held = nil
  }

  /// Moves each on its own merits. The quarantine ends here, so what is still to be deployed is noted.
  func moveEach(_ plan: inout PushPlan, with push: PushID) throws {
    let kept = plan.kept
    guard !kept.isEmpty else { return }
    let updates = try updates(kept, with: push)
    try repositories.locked(app) {
      try Upkeep.expect(plan.tips, by: push, .refs, in: repositories.path(app))
      try repositories.quarantine(app: app, push: push).keep()
      var transaction = newTransaction()
      var left: [(step: PushPlan.Step, update: RefTransaction.Update)] = []
      for (step, update) in zip(kept, updates) where try !transaction.admit(update) { left.append((step, update)) }
      try transaction.commit(logs: nil)
      for (step, update) in left { try moveAlone(step, update, &plan) }
    }
  }

  private func moveAlone(_ step: PushPlan.Step, _ update: RefTransaction.Update, _ plan: inout PushPlan) throws {
    var transaction = newTransaction()
    transaction.add(update)
    do {
      try transaction.prepare()
      try transaction.commit(logs: nil)
    } catch let error as RefFailure {
      plan.refuse(step.command, try stands(elsewhere: step) ? Self.moved : reason(error))
    }
  }

  private func newTransaction() -> RefTransaction {
    var transaction = RefTransaction(RefLocks(refs))
    transaction.lockTimeout = .seconds(1)
    transaction.packedLockTimeout = .seconds(5)
    transaction.locksPackedLate = true
    return transaction
  }

  /// Made before anything is locked: to follow many tags to their ends takes its time.
  private func updates(_ steps: [PushPlan.Step], with push: PushID) throws -> [RefTransaction.Update] {
    let repository = try repositories.open(app: app, with: push)
    return try steps.map { try update($0, repository) }
  }

  private func update(_ step: PushPlan.Step, _ repository: Repository) throws -> RefTransaction.Update {
    guard case .keep(let ref) = step.verdict else {
      throw GitError(.internalError, "'\(shown(step.command.name))' is not a ref to keep")
    }
    return try repository.update(ref, from: step.command.old, to: step.command.new)
  }

  private func stands(elsewhere step: PushPlan.Step) throws -> Bool {
    try refs.resolve(step.command.name)?.id ?? ObjectID([]) != step.command.old
  }

  private func reason(_ error: RefFailure) -> String {
    error.message.contains("File exists") ? Self.busy : error.message
  }
}

extension PushSession {
  /// Moves the refs that do not deploy, on their own or, when `locked` holds them, together.
  func applyKept(_ plan: inout PushPlan, _ push: PushID, _ grant: RepositoryGrant, locked: KeptRefs) {
    do {
      if plan.isAtomic { try locked.move() } else { try locked.moveEach(&plan, with: push) }
    } catch {
      refuse(plan.kept, &plan, push, error)
    }
  }

  /// All or nothing, before anything is built.
  func lockKept(_ plan: inout PushPlan, _ push: PushID, _ grant: RepositoryGrant) -> KeptRefs {
    let kept = KeptRefs(repositories, grant.app.id)
    guard plan.isAtomic else { return kept }
    do {
      try kept.lock(&plan, with: push)
    } catch {
      refuse(plan.kept, &plan, push, error)
    }
    return kept
  }

  private func refuse(_ kept: [PushPlan.Step], _ plan: inout PushPlan, _ push: PushID, _ error: any Error) {
    logger.error("refs not moved", metadata: ["app": "\(app)", "push": "\(push)", "cause": "\(error)"])
    for step in kept { plan.refuse(step.command, "platform error: \(Explanation(error).message)") }
  }

  /// Somebody may want to know later where the branch was: it is not in the history any more.
  func logIfForced(_ command: RefCommand, _ push: PushID, _ grant: RepositoryGrant) {
    guard !command.isCreate else { return }
    do {
      let repository = try repositories.open(app: grant.app.id, create: false)
      if repository.contains(command.old), try repository.isFastForward(from: command.old, to: command.new) { return }
    } catch {
      logger.error("history not compared", metadata: ["app": "\(app)", "push": "\(push)", "cause": "\(error)"])
    }
    logger.notice(
      "deploy branch forced",
      metadata: ["app": "\(app)", "push": "\(push)", "old": "\(command.old)", "new": "\(command.new)"])
  }
}
