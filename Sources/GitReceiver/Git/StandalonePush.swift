/// The commands of one push and what has become of each so far.
struct StandalonePush {
  struct Item {
    var command: RefCommand
    /// Why not; `nil`: so far so good.
    var refusal: String?
    /// Done by another command of the same push, or not to be done: git's report says "ok" unless there is a refusal.
    var isSkipped = false
    /// A deletion of what was not there: hooks do not hear of it.
    var didNotExist = false
    /// Commits of the push without their parents, that the repository does not know as such.
    var cut: Set<ObjectID> = []

    var result: PushReport.Result { refusal.map { .rejected($0) } ?? .ok }
    var isOpen: Bool { refusal == nil && !isSkipped }
  }

  var commands: [Item]

  init(_ commands: [RefCommand]) { self.commands = commands.map { Item(command: $0) } }

  /// Refuses whatever is not refused yet.
  mutating func refuseAll(_ reason: String) {
    for index in commands.indices where commands[index].refusal == nil { commands[index].refusal = reason }
  }

  mutating func refuseHidden(_ hidden: HiddenRefs) {
    for index in commands.indices where commands[index].refusal == nil && hidden.hides(commands[index].command.name) {
      commands[index].refusal =
        commands[index].command.isDelete ? "deny deleting a hidden ref" : "deny updating a hidden ref"
    }
  }

  /// Standard input of pre-receive and post-receive (githooks(5)): a line per command that stands.
  func hookInput(done: Bool) -> [UInt8] {
    var lines: [UInt8] = []
    for item in commands where item.refusal == nil && !(done && item.didNotExist) {
      lines += Array("\(item.command.old) \(item.command.new) ".utf8) + item.command.name + [10]
    }
    return lines
  }

  /// Two names of one ref in one push: done once if they agree, not at all if they do not. Returns what to say.
  mutating func refuseInconsistentAliases(_ refs: RefFiles) throws -> [String] {
    var said: [String] = []
    let indices = Dictionary(
      commands.indices.filter { commands[$0].refusal == nil }.map { (commands[$0].command.name, $0) },
      uniquingKeysWith: { first, _ in first })
    for index in commands.indices where commands[index].refusal == nil {
      let command = commands[index].command
      guard case .symbolic = try refs.value(of: command.name) else { continue }
      guard let target = try refs.resolve(command.name) else {
        said.append("refusing update to broken symref '\(text(command.name))'")
        commands[index].refusal = "broken symref"
        commands[index].isSkipped = true
        continue
      }
      guard let other = indices[target.name], other != index else { continue }
      commands[index].isSkipped = true
      let its = commands[other].command
      if its.old == command.old, its.new == command.new { continue }
      commands[other].isSkipped = true
      said.append(
        "refusing inconsistent update between symref '\(text(command.name))' (\(range(command))) and its target "
          + "'\(text(its.name))' (\(range(its)))")
      commands[index].refusal = "inconsistent aliased update"
      commands[other].refusal = "inconsistent aliased update"
    }
    return said
  }

  private func text(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }

  private func range(_ command: RefCommand) -> String {
    "\(command.old.description.prefix(7))..\(command.new.description.prefix(7))"
  }
}
