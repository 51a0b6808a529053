import Glibc

/// Who stands in reflogs (git-var(1), GIT_COMMITTER_IDENT).
enum Committer {
  /// `NAME <EMAIL>`, from the environment, the configuration, or the system's list of users.
  static func identity(_ config: GitConfig, _ environment: [String: String]) -> String {
    let user = getpwuid(geteuid())?.pointee
    let account = user?.pw_name.map { String(cString: $0) } ?? "unknown"
    let full = user?.pw_gecos.map { String(cString: $0) } ?? ""
    let name =
      environment["GIT_COMMITTER_NAME"] ?? config.last("committer.name") ?? config.last("user.name")
      ?? String(full.prefix { $0 != "," })
    let email =
      environment["GIT_COMMITTER_EMAIL"] ?? config.last("committer.email") ?? config.last("user.email")
      ?? environment["EMAIL"] ?? "\(account)@\(host)"
    return "\(clean(name.isEmpty ? account : name)) <\(clean(email))>"
  }

  /// `SECONDS ZONE`, when the environment gives it in that form; `nil`: now.
  static func date(_ environment: [String: String]) -> String? {
    let words = (environment["GIT_COMMITTER_DATE"] ?? "").split(separator: " ")
    guard words.count == 2, let seconds = Int64(words[0].drop { $0 == "@" }), seconds >= 0, words[1].utf8.count == 5,
      let sign = words[1].first, sign == "+" || sign == "-", words[1].dropFirst().allSatisfy(\.isNumber)
    else { return nil }
    return "\(seconds) \(words[1])"
  }

  private static var host: String {
    var buffer = [CChar](repeating: 0, count: 256)
    gethostname(&buffer, buffer.count - 1)
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Without what would end the field early.
  private static func clean(_ text: String) -> String {
    String(text.unicodeScalars.filter { $0.value >= 0x20 && $0 != "<" && $0 != ">" }.map { Character($0) })
  }
}
