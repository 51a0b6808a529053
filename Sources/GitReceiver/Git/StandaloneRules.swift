/// What the repository's settings and its `update` hook say about one command, once its objects are in the repository.
struct StandaloneRules {
  let session: StandaloneSession
  let store: Repository
  let say: (String) -> Void

  private var settings: StandaloneSettings { session.settings }
  private func error(_ text: String) { say("error: \(text)\n") }
  private func warning(_ text: String) { say("warning: \(text)\n") }

  /// Why the command is refused; `nil`: it is not.
  func check(_ item: inout StandalonePush.Item, _ client: SideBand) throws -> String? {
    let command = item.command
    let name = String(decoding: command.name, as: UTF8.self)
    guard RefFormat.isValid(command.name, deleting: command.isDelete) else {
      error("refusing to create funny ref '\(name)' remotely")
      return "funny refname"
    }
    if session.repository.isCheckedOut(command.name), let refusal = checkCurrent(name) { return refusal }
    if !command.isDelete, !store.contains(command.new) {
      session.hooks.complain("error: unpack should have generated \(command.new), but I can't find it!\n")
      return "bad pack"
    }
    if !command.isCreate, command.isDelete, let refusal = checkDelete(command, name) { return refusal }
    if let refusal = try checkFastForward(command, name) { return refusal }
    guard try session.runUpdateHook(command, client) else {
      error("hook declined to update \(name)")
      return "hook declined"
    }
    if session.repository.isCheckedOut(command.name), settings.denyCurrentBranch == .updateInstead {
      error("receive.denyCurrentBranch=updateInstead is not supported: the work tree cannot be updated here")
      return "work tree cannot be updated"
    }
    return nil
  }

  /// What to do with the ref; notes a deletion of what is not there.
  func update(for item: inout StandalonePush.Item) throws -> RefTransaction.Update {
    let command = item.command
    var old: ObjectID? = command.old
    if command.isDelete, !store.contains(command.old) {
      old = nil
      if try session.refs.value(of: command.name) != nil {
        warning("allowing deletion of corrupt ref")
      } else {
        warning("deleting a non-existent ref")
        item.didNotExist = true
      }
    }
    var update = RefTransaction.Update(name: command.name, old: old, new: command.new)
    if !command.isDelete {
      update.isCommit = try store.header(of: command.new)?.kind == .commit
      update.peeled = try store.peel(command.new)
    }
    return update
  }

  private func checkDelete(_ command: RefCommand, _ name: String) -> String? {
    if settings.denyDeletes, name.hasPrefix("refs/heads/") {
      error("denying ref deletion for \(name)")
      return "deletion prohibited"
    }
    guard session.repository.isCurrent(command.name) else { return nil }
    switch settings.denyDeleteCurrent {
    case .ignore: return nil
    case .warn:
      warning("deleting the current branch")
      return nil
    case .unconfigured: say(Self.lines(Self.deleteAdvice))
    case .refuse, .updateInstead: break
    }
    error("refusing to delete the current branch: \(name)")
    return "deletion of the current branch prohibited"
  }

  private func checkCurrent(_ name: String) -> String? {
    switch settings.denyCurrentBranch {
    case .ignore, .updateInstead: return nil
    case .warn:
      warning("updating the current branch")
      return nil
    case .refuse, .unconfigured:
      error("refusing to update checked out branch: \(name)")
      if settings.denyCurrentBranch == .unconfigured { say(Self.lines(Self.updateAdvice)) }
      return "branch is currently checked out"
    }
  }

  private func checkFastForward(_ command: RefCommand, _ name: String) throws -> String? {
    guard settings.denyNonFastForwards, !command.isCreate, !command.isDelete, name.hasPrefix("refs/heads/") else {
      return nil
    }
    guard try store.header(of: command.old)?.kind == .commit, try store.header(of: command.new)?.kind == .commit else {
      session.hooks.complain("error: Bad sha1 objects \(command.old) and \(command.new) for \(name)\n")
      return "bad ref"
    }
    if try store.isFastForward(from: command.old, to: command.new) { return nil }
    error("denying non-fast-forward \(name) (you should pull first)")
    return "non-fast-forward"
  }

  private static func lines(_ text: String) -> String { "error: \(text)\n" }

  /// Word for word what a person finds when searching for it (git-config(1), receive.denyCurrentBranch).
  private static let updateAdvice = """
    By default, updating the current branch in a non-bare repository
    is denied, because it will make the index and work tree inconsistent
    with what you pushed, and will require 'git reset --hard' to match
    the work tree to HEAD.

    You can set the 'receive.denyCurrentBranch' configuration variable
    to 'ignore' or 'warn' in the remote repository to allow pushing into
    its current branch; however, this is not recommended unless you
    arranged to update its work tree to match what you pushed in some
    other way.

    To squelch this message and still keep the default behaviour, set
    'receive.denyCurrentBranch' configuration variable to 'refuse'.
    """

  private static let deleteAdvice = """
    By default, deleting the current branch is denied, because the next
    'git clone' won't result in any file checked out, causing confusion.

    You can set 'receive.denyDeleteCurrent' configuration variable to
    'warn' or 'ignore' in the remote repository to allow deleting the
    current branch, with or without a warning message.

    To squelch this message, you can set it to 'refuse'.
    """
}
