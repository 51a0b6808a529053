import Glibc
import Linux
import Platform

/// `paas receive-pack DIR`: what `git receive-pack DIR` does, for any repository on this machine.
public enum StandaloneReceive {
  /// Serves one push. Returns the exit status: 0 when the client has its report, whatever that says. What goes wrong
  /// before there is one goes to the transport's standard error, in git's words, and the status is 128.
  public static func run(
    directory: String, transport: any GitTransport, environment: [String: String]
  ) -> Int32 {
    do {
      let repository = try StandaloneRepository.open(directory, environment: environment)
      let session = try StandaloneSession(repository, transport, environment)
      return try session.run(GitProtocolVersion(environment: environment["GIT_PROTOCOL"]))
    } catch {
      let shown = Explanation(error)
      // Nobody is left to tell when this fails.
      try? transport.writeError(Array("fatal: \(shown.isExpected ? shown.message : "\(error)")\n".utf8))
      return 128
    }
  }
}

/// One push into a repository that is not the platform's.
final class StandaloneSession {
  let repository: StandaloneRepository
  let settings: StandaloneSettings
  let refs: RefFiles
  let locks: RefLocks
  let hooks: HookRunner
  let logs: RefLogs
  private let transport: any GitTransport
  private let input: ClientInput
  private var quarantine: StandaloneQuarantine?
  private static let drainLimit = 64 << 30

  init(_ repository: StandaloneRepository, _ transport: any GitTransport, _ environment: [String: String]) throws {
    self.repository = repository
    self.transport = transport
    settings = repository.settings
    refs = RefFiles(repository.common)
    locks = RefLocks(refs)
    input = ClientInput(transport)
    let rule = repository.settings.logAllRefUpdates ?? (repository.isBare ? .existing : .usual)
    logs = RefLogs(
      rule: rule, identity: Committer.identity(repository.config, environment), date: Committer.date(environment))
    hooks = HookRunner(
      repository: repository.path, hooksPath: repository.settings.hooksPath, environment: environment,
      advises: repository.settings.advisesIgnoredHooks
    ) { text in try? transport.writeError(Array(text.utf8)) }  // nobody is left to tell when this fails
  }

  /// The whole conversation.
  func run(_ version: GitProtocolVersion) throws -> Int32 {
    // What killed receivers have left here.
    try StandaloneQuarantine.sweep(repository.objects)
    try RefLocks.sweep(refs)

    try advertise(version)
    guard let request = try receiveCommands() else { return 0 }
    let client = SideBand(
      transport, multiplexed: request.client.sideBand, reports: request.client.reportStatus)
    var push = StandalonePush(request.commands)

    // The pack goes into a quarantine; nothing of it is seen before pre-receive has agreed.
    var pushed = PackContents()
    do {
      pushed = try receiveObjects(request, client)
    } catch {
      refuseObjects(error, request, client)
      return 0
    }
    if let interval = settings.keepAlive { client.startKeepAlive(interval: interval) }
    try checkConnectivity(&push, pushed, request, client)
    push.refuseHidden(settings.hidden)
    if try !runPreReceive(&push, request, client) {
      return try finish(push, request, client)
    }
    do {
      try quarantine?.keep()
      quarantine = nil
    } catch {
      push.refuseAll("unable to migrate objects to permanent storage")
      return try finish(push, request, client)
    }
    try apply(&push, request, client)
    return try finish(push, request, client)
  }

  private func advertise(_ version: GitProtocolVersion) throws {
    let store = try Repository.open(repository.path, objects: nil)
    let shown = try refs.all().filter { !settings.hidden.hides($0.name) && store.contains($0.id) }
    let features = ServerFeatures(atomic: settings.advertiseAtomic, pushOptions: settings.advertisePushOptions)
    let bytes = ReceivePack.advertisement(
      shown, haves: repository.alternateTips().filter { store.contains($0) },
      shallow: try repository.shallow().sorted(), version: version, features: features)
    try bytes.withUnsafeBytes { try transport.write($0) }
  }

  private func receiveCommands() throws -> ReceivePack? {
    var conversation = ReceivePack(
      ServerFeatures(atomic: settings.advertiseAtomic, pushOptions: settings.advertisePushOptions))
    while let packet = try input.packet() {
      guard try conversation.receive(packet) == .commandsComplete else { continue }
      return conversation.commands.isEmpty ? nil : conversation
    }
    throw GitError(.disconnected, "the remote end hung up unexpectedly")
  }

  // MARK: Objects

  private func receiveObjects(_ request: ReceivePack, _ client: SideBand) throws -> PackContents {
    guard request.expectsPack else { return PackContents() }
    let quarantine = try StandaloneQuarantine(objects: repository.objects)
    self.quarantine = quarantine
    Checkpoint.reach("push.quarantine-made")
    let indexer = PackIndexer(
      limits: .standalone(maximumInputSize: settings.maximumInputSize), rules: settings.fsckObjects ? .strict : .none,
      store: try PackStore(repository.path, cacheBytes: 8 << 20))
    let pushed = try indexer.index(input, into: quarantine.packDirectory)
    Checkpoint.reach("push.pack-indexed")
    return pushed
  }

  /// The pack was not taken: nothing of it stays, and no ref moves.
  private func refuseObjects(_ error: any Error, _ request: ReceivePack, _ client: SideBand) {
    quarantine = nil
    let shown = Explanation(error)
    report(
      PushReport(
        unpackError: shown.message, results: request.commands.map { ($0.name, .rejected("unpacker error")) }), client)
    client.end()
    // Where its end is, only a sound pack says: read until the client, who has our report by now, closes.
    input.drain(limit: Self.drainLimit)
  }

  private func checkConnectivity(
    _ push: inout StandalonePush, _ pushed: PackContents, _ request: ReceivePack, _ client: SideBand
  ) throws {
    guard request.expectsPack else { return }
    let store = try Repository.open(repository.path, objects: quarantine?.path)
    let tips = try refs.all().map(\.id) + repository.alternateTips()
    var check = StandaloneConnectivity(
      repository: store, pushed: pushed, tips: tips, shallow: try repository.shallow(), clientShallow: request.shallow)
    var complaints: [String] = []
    for index in push.commands.indices where !push.commands[index].command.isDelete {
      do {
        let cut = try check.check(push.commands[index].command.new)
        push.commands[index].cut = cut
        if !cut.isEmpty, !settings.shallowUpdate { push.commands[index].refusal = "shallow update not allowed" }
      } catch {
        push.commands[index].refusal = "missing necessary objects"
        complaints.append("fatal: \((error as? MissingObject)?.message ?? Explanation(error).message)\n")
      }
    }
    // git checks all together, which the client hears of, and then one by one, which it does not.
    if let first = complaints.first { client.progress(first) }
    for complaint in complaints { hooks.complain(complaint) }
  }

  // MARK: The end

  private func report(_ report: PushReport, _ client: SideBand) {
    Checkpoint.reach("push.before-report")
    client.report(report.encoded)
  }

  /// Reports, and runs what comes after; its output still reaches the client.
  private func finish(_ push: StandalonePush, _ request: ReceivePack, _ client: SideBand) throws -> Int32 {
    quarantine = nil
    report(PushReport(results: push.commands.map { ($0.command.name, $0.result) }), client)
    try runPostHooks(push, request, client)
    client.end()
    return 0
  }

  /// The environment of hooks that may look at what is not in the repository yet.
  var quarantineEnvironment: [String: String] {
    guard let quarantine else { return [:] }
    return [
      "GIT_QUARANTINE_PATH": quarantine.path, "GIT_OBJECT_DIRECTORY": quarantine.path,
      "GIT_ALTERNATE_OBJECT_DIRECTORIES": repository.objects,
    ]
  }
}
