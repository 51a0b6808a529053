import FoundationEssentials
import Glibc
import Linux
import Platform

extension Sandbox {
  /// Writes an OCI bundle: the root file system's skeleton, a mount point for everything that will be mounted, and
  /// `config.json` (0600: it holds the environment). The directories above it, and above an overlay's layers, must let
  /// the sandbox's host user through (0711). Throws ``SandboxError/invalid(_:)`` for a path or value that cannot be expressed.
  public func writeBundle(_ spec: SandboxSpec, at directory: String) throws {
    let shared = RootFileSystem.sharedConfiguration.filter(Files.exists).map {
      SandboxMount(.bind(source: $0, readOnly: true), at: $0)
    }
    let mounts = shared + spec.mounts
    for mount in mounts { try check(mount) }
    guard !(spec.arguments + spec.environment.flatMap { [$0.key, $0.value] }).contains(where: { $0.contains("\0") }) else {
      throw SandboxError.invalid("an argument or environment variable of '\(spec.id)' holds a NUL byte")
    }
    for path in [directory, "\(directory)/rootfs"] {
      try Files.makeDirectory(path)
      try checked("set the mode of '\(path)'") { chmod(path, 0o755) }
    }
    try RootFileSystem(hostname: spec.hostname).write(at: "\(directory)/rootfs", mounts: mounts)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    let description = try encoder.encode(containerDescription(spec, mounts: mounts))
    try Files.writeDurably(description, to: "\(directory)/config.json")
  }

  private func check(_ mount: SandboxMount) throws {
    guard mount.destination.hasPrefix("/"), !mount.destination.split(separator: "/").contains("..") else {
      throw SandboxError.invalid("'\(mount.destination)' is not an absolute path to mount at")
    }
    guard case .overlay(let lower, let upper, let work) = mount.kind else { return }
    for path in [lower, upper, work] where path.contains(where: { ",:\\".contains($0) }) {
      throw SandboxError.invalid("the path '\(path)' holds one of , : \\ and cannot be an overlay's layer")
    }
  }

  private func containerDescription(_ spec: SandboxSpec, mounts: [SandboxMount]) -> ContainerDescription {
    let mapping = ContainerDescription.Linux.Mapping(
      containerID: 1000, hostID: capabilities.perAppUsers ? spec.hostUser : 0, size: 1)
    let own = Set(mounts.map(\.destination))
    return ContainerDescription(
      process: .init(
        terminal: spec.terminal != nil,
        consoleSize: spec.terminal.map { .init(height: $0.rows, width: $0.columns) },
        args: [programs.initializer, "-g", "--"] + spec.arguments,
        env: spec.environment.map { "\($0.key)=\($0.value)" }.sorted(), cwd: spec.directory,
        oomScoreAdj: max(300, currentOOMScore)),
      root: .init(path: "rootfs"), hostname: spec.hostname,
      mounts: Self.systemMounts.filter { !own.contains($0.destination) } + mounts.map(description),
      linux: .init(
        uidMappings: [mapping], gidMappings: [mapping],
        cgroupsPath: capabilities.resourceLimits ? "/\(prefix)/\(spec.id)" : nil,
        resources: capabilities.resourceLimits ? resources(spec.limits) : nil))
  }

  private func description(_ mount: SandboxMount) -> ContainerDescription.Mount {
    switch mount.kind {
    case .bind(let source, let readOnly):
      let options = ["rbind", readOnly ? "ro" : "rw", "nosuid", "nodev", "rprivate"]
      return .init(destination: mount.destination, type: "bind", source: source, options: options)
    case .overlay(let lower, let upper, let work):
      let layers = ["lowerdir=\(lower)", "upperdir=\(upper)", "workdir=\(work)", "nosuid", "nodev"]
      return .init(
        destination: mount.destination, type: "overlay", source: "overlay",
        options: capabilities.perAppUsers ? layers : layers + ["userxattr"])
    case .tmpfs(let megabytes):
      let options = ["nosuid", "nodev", "mode=1777", "size=\(megabytes)m"]
      return .init(destination: mount.destination, type: "tmpfs", source: "tmpfs", options: options)
    }
  }

  private func resources(_ limits: SandboxLimits) -> ContainerDescription.Linux.Resources {
    let period: UInt64 = 100_000
    return .init(
      memory: limits.memoryBytes.map { .init(limit: $0) }, pids: limits.processes.map { .init(limit: $0) },
      cpu: limits.cpus.map { .init(quota: max(1000, Int64($0 * Double(period))), period: period) })
  }

  /// Only a higher value than one's own may be set without a capability.
  private var currentOOMScore: Int {
    let text = (try? Files.text("/proc/self/oom_score_adj")) ?? ""  // unreadable: the kernel's default, 0
    return text.split(separator: "\n").first.flatMap { Int($0) } ?? 0
  }

  private static let systemMounts: [ContainerDescription.Mount] = [
    .init(destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
    .init(
      destination: "/dev", type: "tmpfs", source: "tmpfs",
      options: ["nosuid", "noexec", "strictatime", "mode=755", "size=1m"]),
    .init(
      destination: "/dev/pts", type: "devpts", source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
    .init(
      destination: "/dev/shm", type: "tmpfs", source: "shm",
      options: ["nosuid", "noexec", "nodev", "mode=1777", "size=64m"]),
    .init(destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
    .init(
      destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777", "size=512m"]),
    .init(destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro", "nosuid", "nodev", "rprivate"]),
  ]
}
