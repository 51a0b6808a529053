import Platform

/// What goes wrong with a client's protocol, its objects, or a repository. Shown to the pusher as it is.
struct GitError: Error, Explained, Equatable, CustomStringConvertible {
  /// Who can do something about it.
  enum Kind: Sendable, Equatable {
    /// The client broke the protocol; the session ends.
    case protocolBroken
    /// The client went away.
    case disconnected
    /// The pack or an object in it is damaged or dangerous.
    case badObjects
    /// A limit is exceeded.
    case limit
    /// Ours: disk, libgit2.
    case internalError
  }

  let kind: Kind
  let message: String
  let nextStep: String?

  init(_ kind: Kind, _ message: String, next: String? = nil) {
    self.kind = kind
    self.message = message
    nextStep = next
  }

  var description: String { message }
}
