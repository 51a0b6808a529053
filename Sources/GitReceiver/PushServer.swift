public import Platform
public import Wire

/// What a push needs of the server. Blocking calls, made from the session's thread.
public protocol PushServer: Sendable {
  /// May this session use the app's repository, and what does the ledger say about it?
  func grant(app: AppName, access: RepositoryRequest.Access, token: String) throws -> RepositoryGrant

  /// Posts the source tar while `produce` writes it to the descriptor it is given (a pipe) on another thread.
  /// `produce` does not close the descriptor. Returns the accepted build.
  func openBuild(
    app: AppName, token: String, push: PushID, ref: RefName, old: CommitID, new: CommitID, subject: String,
    produce: @escaping @Sendable (Int32) throws -> Void
  ) throws -> BuildResource

  /// Follows the build's output from its start until the exit record; reconnects and resumes by itself. Calls `body`
  /// for each record before the exit, keep-alives included; what `body` throws ends the following, not the build.
  func followBuild(app: AppName, build: BuildID, token: String, body: (StreamRecord) throws -> Void) throws
    -> (status: Int32, exit: StreamExit)

  /// Ref updates that are committed in the ledger and not yet applied.
  func pendingRefUpdates(app: AppID?) throws -> [RefUpdate]

  /// Says what became of a ref update.
  func report(_ outcome: RefUpdateOutcome, for build: BuildID) throws
}
