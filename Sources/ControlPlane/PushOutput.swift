import Platform

/// Where a deploy tells its story: to the pusher's terminal, or to nobody when a rollback or a config change makes the
/// release.
struct PushOutput: Sendable {
  let write: @Sendable ([UInt8]) -> Void
  /// Nobody reads; a failure then carries the last lines itself.
  let isSilent: Bool

  static let none = PushOutput(write: { _ in }, isSilent: true)

  init(write: @escaping @Sendable ([UInt8]) -> Void, isSilent: Bool = false) {
    self.write = write
    self.isSilent = isSilent
  }

  func text(_ text: String) { write(Array(text.utf8)) }
  func step(_ line: String) { text(PushText.step(line)) }
  func detail(_ line: String) { text(PushText.detail(line)) }
}
