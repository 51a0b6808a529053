import Glibc
import Linux
import Platform

/// Moving the refs: the repository's own rules, its hooks, then a transaction per ref, or one for all with `--atomic`.
extension StandaloneSession {
  func apply(_ push: inout StandalonePush, _ request: ReceivePack, _ client: SideBand) throws {
    for text in try push.refuseInconsistentAliases(refs) { client.progress("error: \(text)\n") }
    let store = try Repository.open(repository.path, objects: nil)
    let rules = StandaloneRules(session: self, store: store) { client.progress($0) }
    try writeShallow(push)
    if request.client.atomic {
      try applyTogether(&push, rules, client)
      return
    }
    let open = push.commands.indices.filter { push.commands[$0].isOpen }
    if open.count > 16, !hooks.exists("update"), !hooks.exists("reference-transaction") {
      return try applyInBulk(open, &push, rules, client)
    }
    for index in open {
      guard let update = try checked(&push.commands[index], rules, client) else { continue }
      try perform(update, &push.commands[index], client)
    }
  }

  /// What is to be done for the command; `nil`: it is refused now.
  private func checked(
    _ item: inout StandalonePush.Item, _ rules: StandaloneRules, _ client: SideBand
  ) throws -> RefTransaction.Update? {
    item.refusal = try rules.check(&item, client)
    return item.refusal == nil ? try rules.update(for: &item) : nil
  }

  private func perform(
    _ update: RefTransaction.Update, _ item: inout StandalonePush.Item, _ client: SideBand
  ) throws {
    var transaction = transaction()
    transaction.add(update)
    do {
      try perform(&transaction, client)
    } catch let error as RefFailure {
      client.progress("error: \(error.message)\n")
      item.refusal = "failed to update ref"
    }
  }

  /// Many refs at once, each on its own merits; only without hooks that look at one ref after the other. What does not
  /// go together with the others is tried afterwards, one by one.
  private func applyInBulk(
    _ open: [Int], _ push: inout StandalonePush, _ rules: StandaloneRules, _ client: SideBand
  ) throws {
    var transaction = transaction()
    var admitted: [Int] = []
    var left: [(index: Int, update: RefTransaction.Update)] = []
    for index in open {
      guard let update = try checked(&push.commands[index], rules, client) else { continue }
      if try transaction.admit(update) { admitted.append(index) } else { left.append((index, update)) }
    }
    do {
      try transaction.commit(logs: logs)
    } catch {
      let failure = error as? RefFailure ?? RefFailure(message: Explanation(error).message)
      client.progress("error: \(failure.message)\n")
      for index in admitted where try !(transaction.isHalfDone && hasMoved(push.commands[index].command)) {
        push.commands[index].refusal = "failed to update ref"
      }
    }
    for (index, update) in left { try perform(update, &push.commands[index], client) }
  }

  private func hasMoved(_ command: RefCommand) throws -> Bool {
    try refs.resolve(command.name)?.id ?? ObjectID([]) == command.new
  }

  private func transaction() -> RefTransaction {
    var transaction = RefTransaction(locks)
    transaction.lockTimeout = settings.lockTimeout
    transaction.packedLockTimeout = settings.packedLockTimeout
    return transaction
  }

  private func applyTogether(_ push: inout StandalonePush, _ rules: StandaloneRules, _ client: SideBand) throws {
    var transaction = transaction()
    for index in push.commands.indices where push.commands[index].isOpen {
      guard let update = try checked(&push.commands[index], rules, client) else {
        return push.refuseAll("atomic push failure")
      }
      transaction.add(update)
    }
    do {
      try perform(&transaction, client)
    } catch let error as RefFailure {
      client.progress("error: \(error.message)\n")
      guard transaction.isHalfDone else { return push.refuseAll("atomic transaction failed") }
      // Neither done nor undone: at least the client hears what stands.
      for index in push.commands.indices where push.commands[index].isOpen {
        if try !hasMoved(push.commands[index].command) { push.commands[index].refusal = "atomic transaction failed" }
      }
    }
  }

  /// Throws ``RefFailure`` for what concerns the refs, and ``GitError`` when a hook forbids: git ends there without a
  /// report, and so do we.
  private func perform(_ transaction: inout RefTransaction, _ client: SideBand) throws {
    try transaction.prepare()
    Checkpoint.reach("push.refs-locked")
    let lines = try transaction.hookLines()
    if try runTransactionHook("prepared", lines).isRefusal {
      transaction.abort()
      _ = try runTransactionHook("aborted", lines)
      throw GitError(.internalError, "ref updates aborted by hook")
    }
    do {
      try transaction.commit(logs: logs)
    } catch {
      throw error as? RefFailure ?? RefFailure(message: Explanation(error).message)
    }
    Checkpoint.reach("push.after-refs")
    _ = try runTransactionHook("committed", lines)
  }

  /// Adds what the push's history lacks to the repository's `shallow`, durably, before a ref leads there.
  private func writeShallow(_ push: StandalonePush) throws {
    let cut = push.commands.filter(\.isOpen).reduce(into: Set<ObjectID>()) { $0.formUnion($1.cut) }
    guard !cut.isEmpty else { return }
    let name = Array("shallow".utf8)
    try locks.acquire(name, within: .seconds(1))
    defer { locks.release(name) }
    let all = try repository.shallow().union(cut).sorted()
    let text = all.map { "\($0)\n" }.joined()
    try Files.writeDurably(text.utf8, to: "\(repository.common)/shallow", mode: 0o644)
  }
}

// MARK: Hooks

extension StandaloneSession {
  private func pushOptions(_ request: ReceivePack) -> [String: String] {
    var variables = ["GIT_PUSH_OPTION_COUNT": "\(request.options.count)"]
    for (number, option) in request.options.enumerated() { variables["GIT_PUSH_OPTION_\(number)"] = option }
    return variables
  }

  /// `false`: the hook refuses, and so is everything.
  func runPreReceive(_ push: inout StandalonePush, _ request: ReceivePack, _ client: SideBand) throws -> Bool {
    let lines = push.hookInput(done: false)
    guard !lines.isEmpty else { return true }
    Checkpoint.reach("push.before-hooks")
    let environment = pushOptions(request).merging(quarantineEnvironment) { $1 }
    let outcome = try hooks.run("pre-receive", input: lines, extra: environment) { client.progress($0) }
    if outcome.isRefusal { push.refuseAll("pre-receive hook declined") }
    return !outcome.isRefusal
  }

  func runUpdateHook(_ command: RefCommand, _ client: SideBand) throws -> Bool {
    let ids = [command.old, command.new].map { Array($0.description.utf8) }
    return try !hooks.run("update", [command.name] + ids) { client.progress($0) }.isRefusal
  }

  /// Its output goes where git's goes: to standard error, beside the protocol.
  private func runTransactionHook(_ state: String, _ lines: [UInt8]) throws -> HookRunner.Outcome {
    try hooks.run("reference-transaction", [Array(state.utf8)], input: lines) { output in
      hooks.complain(String(decoding: output, as: UTF8.self))
    }
  }

  func runPostHooks(_ push: StandalonePush, _ request: ReceivePack, _ client: SideBand) throws {
    let lines = push.hookInput(done: true)
    guard !lines.isEmpty else { return }
    _ = try hooks.run("post-receive", input: lines, extra: pushOptions(request)) { client.progress($0) }
    let names = push.commands.filter { $0.refusal == nil && !$0.didNotExist }.map(\.command.name)
    _ = try hooks.run("post-update", names) { client.progress($0) }
  }
}
