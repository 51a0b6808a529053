import Glibc
import Linux
public import Platform

extension Sandbox {
  /// Looks at this machine by starting a trial sandbox; takes about 0.1 s. Never throws: what is missing stands in
  /// ``capabilities``. `searchPath` is where the programs are looked for, as in `PATH`.
  public static func probe(
    stateDirectory: String, installation: InstallationID, searchPath: String? = nil
  ) async -> Sandbox {
    let path = searchPath ?? Machine.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    var missing: [String] = []
    func find(_ name: String, package: String) -> String {
      if let found = program(name, in: path) { return found }
      missing.append("'\(name)' is not installed: apt-get install \(package)")
      return name
    }
    let programs = Programs(
      runtime: find("crun", package: "crun"), monitor: find("conmon", package: "conmon"),
      initializer: find("tini", package: "tini"))
    let privileged = geteuid() == 0 && mayMount
    if let reason = refusal(uid: geteuid(), mayMount: mayMount) { missing.append(reason) }
    var sandbox = Sandbox(
      capabilities: EngineCapabilities(
        canRun: missing.isEmpty, missing: missing, perAppUsers: privileged, resourceLimits: privileged),
      prefix: "paas-" + String(installation.description.suffix(12)), stateDirectory: stateDirectory,
      programs: programs)
    guard missing.isEmpty else { return sandbox }
    guard let refusal = await sandbox.trial() else { return sandbox }
    if privileged {
      sandbox.capabilities.resourceLimits = false
      if await sandbox.trial() == nil { return sandbox }
      sandbox.capabilities.perAppUsers = false
    }
    sandbox.capabilities.canRun = false
    sandbox.capabilities.missing = [explanation(refusal)]
    return sandbox
  }

  /// Without users per app, uid 1000 inside stands for this process's own user; that must not be the real root.
  static func refusal(uid: UInt32, mayMount: Bool) -> String? {
    guard uid == 0, !mayMount else { return nil }
    return "apps would run as root, because root without CAP_SYS_ADMIN cannot give them users of their own: "
      + "run paas as a plain user, or grant it CAP_SYS_ADMIN"
  }

  /// Starts and ends the smallest sandbox with everything that apps need; returns the reason when that fails.
  private func trial() async -> String? {
    let base = "\(stateDirectory)/trial.\(getpid()).\(UInt32.random(in: 0 ... .max))"
    let user: UInt32 = 65534
    let spec = SandboxSpec(
      id: identifier("trial-\(UInt32.random(in: 0 ... .max))"), arguments: ["/bin/true"], hostUser: user,
      mounts: [
        SandboxMount(.overlay(lower: "\(base)/lower", upper: "\(base)/upper", work: "\(base)/work"), at: "/app")
      ])
    do {
      try Self.makeEnterable(base)
      for layer in ["lower", "upper", "work"] { try makeDirectory("\(base)/\(layer)", for: user) }
      try writeBundle(spec, at: "\(base)/bundle")
      let status = await (try start(spec, bundle: "\(base)/bundle")).exitStatus()
      try Files.removeTree(base)
      return status == 0 ? nil : "a trial process ended with status \(status)"
    } catch {
      // The trial's own reason counts, not what is left of it.
      _ = try? Files.removeTree(base)
      return (error as? any Explained)?.message ?? "\(error)"
    }
  }

  /// Makes what is missing of a path so that every user may enter it, whatever our umask is.
  private static func makeEnterable(_ path: String) throws {
    if Files.exists(path) { return }
    let parent = path.split(separator: "/").dropLast().joined(separator: "/")
    if !parent.isEmpty { try makeEnterable("/" + parent) }
    try Files.makeDirectory(path)
    try checked("set the mode of '\(path)'") { chmod(path, 0o711) }
  }

  /// The machine's settings that are known to be in the way, else the runtime's own words.
  private static func explanation(_ refusal: String) -> String {
    func setting(_ name: String) -> String? {
      // Not every kernel has each of these.
      (try? Files.text("/proc/sys/\(name)"))?.split(separator: "\n").first.map(String.init)
    }
    if setting("user/max_user_namespaces") == "0" {
      return "user namespaces are off: sysctl -w user.max_user_namespaces=15000"
    }
    if geteuid() != 0, setting("kernel/unprivileged_userns_clone") == "0" {
      return "user namespaces are off for plain users: sysctl -w kernel.unprivileged_userns_clone=1"
    }
    if geteuid() != 0, setting("kernel/apparmor_restrict_unprivileged_userns") == "1" {
      return "AppArmor restricts user namespaces: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    }
    return refusal
  }

  private static func program(_ name: String, in path: String) -> String? {
    path.split(separator: ":").map { "\($0)/\(name)" }.first { $0.hasPrefix("/") && access($0, X_OK) == 0 }
  }

  /// Whether the effective set holds CAP_SYS_ADMIN (bit 21; capabilities(7)).
  private static var mayMount: Bool {
    let status = (try? Files.text("/proc/self/status")) ?? ""  // unreadable: assume the weaker mode
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    guard let hex = line?.dropFirst(7).drop(while: { $0 == "\t" || $0 == " " }), let set = UInt64(hex, radix: 16)
    else { return false }
    return set & (1 << 21) != 0
  }
}
