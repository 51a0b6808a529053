import Logging
import Platform
import Synchronization
import Wire

/// How the server's half ended.
enum DeployEnd: Equatable {
  case committed
  /// With the stable code, in one line.
  case rejected(String)
}

extension PushSession {
  /// Opens the build, shows its output, and after the commit moves the ref. Never throws: whatever goes wrong is the
  /// ref's verdict.
  func deploy(_ step: PushPlan.Step, _ push: PushID, _ grant: RepositoryGrant, _ client: SideBand) -> DeployEnd {
    guard case .deploy(let ref) = step.verdict, !client.isGone else {
      discard(push, grant)
      return .rejected(Self.leftEarly)
    }
    do {
      let (build, missing) = try openBuild(step, ref, push, grant, client)
      client.progress(missing.warning)
      guard let id = BuildID(build.id) else {
        throw GitError(.internalError, "the server named the build '\(printable(build.id))'")
      }
      // From here on a client that goes away changes nothing: SideBand forgets what nobody reads.
      let (_, exit) = try server.followBuild(app: app, build: id, token: token) { show($0, client) }
      guard exit.committed else {
        discard(push, grant)
        return .rejected(
          "\((exit.code ?? .platformError).rawValue): \(exit.reason ?? "the build ended without a reason")")
      }
      return try moveRef(ref, to: step.command.new, push, grant)
    } catch let error as GitError where error.kind == .disconnected {
      return .rejected(error.message)
    } catch {
      let shown = Explanation(error)
      logger.error(
        "deploy not followed to its end", metadata: ["app": "\(app)", "push": "\(push)", "cause": "\(error)"])
      client.progress(PushText.error(shown.line))
      return .rejected("\(FailureCode.platformError.rawValue): \(shown.message)")
    }
  }

  private static var leftEarly: String { "the client went away before the build was accepted" }

  /// Streams the tree to the server. The quarantine is discarded when the server has not taken the build for certain.
  private func openBuild(
    _ step: PushPlan.Step, _ ref: RefName, _ push: PushID, _ grant: RepositoryGrant, _ client: SideBand
  ) throws -> (build: BuildResource, missing: MissingContents) {
    let tar = TarOutcome()
    do {
      let new = try CommitID(step.command.new.description)
      let repository = try repositories.open(app: grant.app.id, with: push)
      let subject = CommitText(try repository.contents(of: step.command.new, .commit)).subject
      let quarantine = repositories.quarantine(app: grant.app.id, push: push)
      if quarantine.exists { try quarantine.markOffered() }
      let source = self.source(new, push, grant, client, tar)
      let build = try server.openBuild(
        app: app, token: token, push: push, ref: ref, old: grant.tip ?? .zero, new: new, subject: subject,
        produce: source)
      return (build, tar.missing ?? MissingContents())
    } catch {
      // No server takes a build whose source has not come to its end.
      if error is APIError || tar.missing == nil { discard(push, grant) }
      // Our own refusal of the tree says more than the torn upload that follows from it; a broken pipe says less.
      throw (tar.error as? GitError) ?? error
    }
  }

  /// Writes the commit's tree as a tar, and notes how that ended.
  private func source(
    _ new: CommitID, _ push: PushID, _ grant: RepositoryGrant, _ client: SideBand, _ tar: TarOutcome
  ) -> @Sendable (Int32) throws -> Void {
    let (repositories, app) = (repositories, grant.app.id)
    return { descriptor in
      do {
        let store = try repositories.objects(app: app, with: push)
        tar.keep(
          try TreeTar.write(new, of: store, to: descriptor) {
            if client.isGone { throw GitError(.disconnected, Self.leftEarly) }
          })
      } catch {
        tar.keep(error)
        throw error
      }
    }
  }

  private func show(_ record: StreamRecord, _ client: SideBand) {
    switch record.kind {
    case .stdout, .stderr, .progress: client.progress(record.payload)
    case .keepAlive, .resize, .signal, .exit, .stdin, .stdinClosed: break
    }
  }

  /// The commit point is behind us: the ledger's update is applied, by us or by somebody who was faster.
  private func moveRef(
    _ ref: RefName, to new: ObjectID, _ push: PushID, _ grant: RepositoryGrant
  ) throws -> DeployEnd {
    do {
      try repositories.applyPending(app: grant.app.id, server: server)
    } catch {
      // It stays pending in the ledger, and every later step of anybody tries it again.
      logger.error("ref update not applied", metadata: ["app": "\(app)", "push": "\(push)", "cause": "\(error)"])
    }
    discard(push, grant)
    guard try repositories.open(app: grant.app.id, create: false).target(of: ref) == new else {
      return .rejected("the release is live, but \(ref) is not at its commit yet; see `paas releases -a \(app)`")
    }
    return .committed
  }
}

/// What the thread that writes the tar has found. Its first error says more than the broken upload that follows from it.
private final class TarOutcome: Sendable {
  private struct State {
    var error: (any Error)?
    var missing: MissingContents?
  }

  private let state = Mutex(State())

  func keep(_ error: any Error) { state.withLock { $0.error = $0.error ?? error } }
  func keep(_ missing: MissingContents) { state.withLock { $0.missing = missing } }
  var error: (any Error)? { state.withLock { $0.error } }
  /// `nil` as long as the tar is not whole.
  var missing: MissingContents? { state.withLock { $0.missing } }
}

/// What a push of nothing new says about what is live.
struct UpToDateNote {
  let text: String
  private static let again = "to deploy it again: git commit --allow-empty, and push"

  init(_ grant: RepositoryGrant) {
    guard let tip = grant.tip else {
      text = ""
      return
    }
    guard let release = grant.liveRelease else {
      text = PushText.step("Nothing is live; \(Self.again)")
      return
    }
    let state: String
    if let live = grant.liveCommit, live == tip {
      state = "Release \(release) is live, with this commit"
    } else {
      let other = grant.liveCommit.map { ", with commit \($0.short)" } ?? ""
      state = "Release \(release) is live\(other), not \(tip.short)"
    }
    text = PushText.step(state) + PushText.detail(Self.again)
  }
}
