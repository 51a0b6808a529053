/// What a source that comes from `git push` says about itself.
public struct PushContext: Sendable, Hashable, Codable {
  public var push: PushID
  public var ref: RefName
  /// The deployed tip that the push starts from; ``CommitID/zero`` for the first.
  public var old: CommitID
  public var new: CommitID
  /// The first line of the commit's own description.
  public var subject: String

  public init(push: PushID, ref: RefName, old: CommitID, new: CommitID, subject: String) {
    self.push = push
    self.ref = ref
    self.old = old
    self.new = new
    self.subject = subject
  }
}
