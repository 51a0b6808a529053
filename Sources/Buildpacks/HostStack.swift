internal import Linux
public import Platform

extension Stack {
  /// The machine's own `/usr`; its digest is the system's name and version, `debian-12`.
  public static let host = Stack(id: "host", digest: hostRelease())

  private static func hostRelease() -> String {
    // A system without the file has no name to record.
    let text = (try? Files.text("/etc/os-release")) ?? ""
    func value(_ key: String) -> String {
      let line = text.split(separator: "\n").first { $0.hasPrefix("\(key)=") }
      return line.map { String($0.dropFirst(key.count + 1).filter { $0 != "\"" }) } ?? "unknown"
    }
    return "\(value("ID"))-\(value("VERSION_ID"))"
  }
}
