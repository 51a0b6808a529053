import Platform
import Wire

/// What will be done with each ref of a push, decided before any object is looked at (docs/conventions.md, "Pushing,
/// precisely"): the deploy branch deploys, tags are kept, everything else is refused with a reason.
struct PushPlan {
  enum Verdict: Equatable {
    case deploy(RefName)
    case keep(RefName)
    case refuse(String)
  }

  struct Step: Equatable {
    var command: RefCommand
    var verdict: Verdict
  }

  private(set) var steps: [Step]
  /// Where a command of that name is, unless there are several.
  private var positions: [[UInt8]: Int] = [:]
  let deployBranch: String
  let isAtomic: Bool

  /// `target` says where a ref stands now, `isLost` that the ledger's tip is not among the repository's objects.
  init(
    _ commands: [RefCommand], atomic: Bool, grant: RepositoryGrant, isLost: Bool,
    target: (RefName) throws -> ObjectID?
  ) rethrows {
    let branch = grant.deployBranch ?? Self.firstBranch(commands)
    deployBranch = branch
    isAtomic = atomic
    let counts = Dictionary(commands.map { ($0.name, 1) }, uniquingKeysWith: +)
    steps = try commands.map { command in
      guard counts[command.name] == 1 else {
        return Step(command: command, verdict: .refuse("the push names this ref twice"))
      }
      guard let ref = command.ref else { return Step(command: command, verdict: .refuse("not a valid ref name")) }
      let current = try target(ref) ?? ObjectID([])
      let verdict = Self.verdict(ref, command, current: current, grant: grant, branch: branch, isLost: isLost)
      return Step(command: command, verdict: verdict)
    }
    for (index, command) in commands.enumerated() where counts[command.name] == 1 { positions[command.name] = index }
    if atomic, steps.contains(where: \.isRefused) { refuseAll() }
  }

  /// The step that deploys; there is one at most.
  var deploy: Step? { steps.first { if case .deploy = $0.verdict { true } else { false } } }
  var kept: [Step] { steps.filter { if case .keep = $0.verdict { true } else { false } } }
  /// What the refs will name if nothing else is refused.
  var tips: [ObjectID] { steps.filter { !$0.isRefused && !$0.command.isDelete }.map(\.command.new) }
  var isRefused: Bool { steps.allSatisfy(\.isRefused) }

  /// Refuses one ref after all; with `--atomic` all of them.
  mutating func refuse(_ command: RefCommand, _ reason: String) {
    if let index = positions[command.name] { steps[index].verdict = .refuse(reason) }
    if isAtomic { refuseAll() }
  }

  private mutating func refuseAll() {
    for index in steps.indices where !steps[index].isRefused { steps[index].verdict = .refuse("atomic push failed") }
  }

  /// An app's first push decides between `main` and `master`.
  private static func firstBranch(_ commands: [RefCommand]) -> String {
    let created = commands.filter { !$0.isDelete }.compactMap { $0.ref?.branch }
    return !created.contains("main") && created.contains("master") ? "master" : "main"
  }

  private static func verdict(
    _ ref: RefName, _ command: RefCommand, current: ObjectID, grant: RepositoryGrant, branch: String, isLost: Bool
  ) -> Verdict {
    if command.isDelete, command.isCreate || current.isZero { return .refuse("the ref does not exist") }
    guard command.old == current else { return .refuse("the ref has moved meanwhile; fetch first") }
    if ref.description.hasPrefix("refs/tags/") { return .keep(ref) }
    guard let name = ref.branch else {
      return .refuse("only the deploy branch '\(branch)' and tags can be pushed")
    }
    guard name == branch else {
      if command.isDelete { return .keep(ref) }
      return .refuse("only '\(branch)' deploys; to deploy this branch: git push paas \(name):\(branch)")
    }
    if command.isDelete {
      return .refuse("the deploy branch cannot be deleted; to remove the app: paas apps:destroy -a \(grant.app.name)")
    }
    guard isLost || current == (grant.tip.map { ObjectID($0) } ?? ObjectID([])) else {
      return .refuse("the repository and the ledger disagree about the deployed commit; try again in a moment")
    }
    return .deploy(ref)
  }
}

extension PushPlan.Step {
  var isRefused: Bool { if case .refuse = verdict { true } else { false } }

  var result: PushReport.Result {
    if case .refuse(let reason) = verdict { .rejected(reason) } else { .ok }
  }
}
