/// The lines a push prints (docs/conventions.md: "What a push prints"). The git client puts `remote: ` before each.
public enum PushText {
  /// `-----> Python app detected`
  public static func step(_ text: String) -> String { "-----> \(text)\n" }
  /// `       Using Python 3.11.2`
  public static func detail(_ text: String) -> String { "       \(text)\n" }
  /// ` !     Push rejected`
  public static func error(_ text: String) -> String { " !     \(text)\n" }

  /// A failure in full: phase and code, cause, evidence, next step. The receiver adds `Push rejected to APP.`
  public static func failure(_ failure: DeployFailure) -> String {
    var text = error("\(failure.phase.rawValue) failed (\(failure.code.rawValue)): \(failure.message)")
    if !failure.evidence.isEmpty {
      text += error("last lines:")
      text += failure.evidence.map { error("  " + $0) }.joined()
    }
    if let next = failure.nextStep { text += error("next: \(next)") }
    return text + error("`paas explain \(failure.code.rawValue)` says more.")
  }
}
