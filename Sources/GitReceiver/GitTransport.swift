/// A byte stream to the git client: an SSH channel now, standard input and output later. Blocking, and used from one
/// session's thread. A writer may be called from a second thread only while the first does not write.
public protocol GitTransport: AnyObject {
  /// Fills as much of the buffer as has arrived; waits for at least one byte. 0 means end of file.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
  /// Writes all of it.
  func write(_ bytes: UnsafeRawBufferPointer) throws
  /// Writes all of it to the client's standard error.
  func writeError(_ bytes: [UInt8]) throws
  /// Writes all of it if that needs no waiting for the client, else nothing. Returns whether it did.
  func offer(_ bytes: [UInt8], toError: Bool) throws -> Bool
  /// The client has gone.
  var isClosed: Bool { get }
}

extension GitTransport {
  /// For clients of a process of their own: who waits for them holds up nobody else.
  public func offer(_ bytes: [UInt8], toError: Bool) throws -> Bool {
    if toError { try writeError(bytes) } else { try bytes.withUnsafeBytes { try write($0) } }
    return true
  }
}

/// The wire protocol version a client asks for in `GIT_PROTOCOL` (gitprotocol-v2(5), "Initial Client Request").
/// Pushing knows 0 and 1 only; a client that asks for 2 is answered in 0, as git does. Fetching knows all three.
public enum GitProtocolVersion: Sendable, Equatable {
  case v0, v1, v2

  /// Reads `GIT_PROTOCOL`: keys and values between colons; the highest `version` that we know counts.
  public init(environment: String?) {
    let values = (environment ?? "").split(separator: ":").compactMap { part in
      part.hasPrefix("version=") ? Int(part.dropFirst(8)) : nil
    }
    switch values.filter({ (0...2).contains($0) }).max() {
    case 2: self = .v2
    case 1: self = .v1
    default: self = .v0
    }
  }
}
