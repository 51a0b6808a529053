import ControlPlane
import Glibc
import Linux
import Platform

/// The one directory that holds everything of an installation.
struct DataDirectory: Sendable {
  /// Absolute, without a trailing slash.
  let path: String

  var run: String { path + "/run" }
  var controlSocket: String { run + "/control.sock" }
  var receiverSocket: String { run + "/receiver.sock" }
  var routerSocket: String { run + "/router.sock" }
  /// The longest of the routers' (``RouterSlot``).
  var handoverSocket: String { run + "/handover-\(RouterSlot.count).sock" }
  var lockFile: String { run + "/server.lock" }
  var routerDirectory: String { run + "/router" }
  var receiver: String { path + "/receiver" }
  var installationFile: String { path + "/installation" }

  /// Where data lies when nobody says: /var/lib/paas for root, else ~/.local/share/paas.
  static func standard(environment: [String: String]) -> String {
    if geteuid() == 0 { return "/var/lib/paas" }
    return (environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? "") + "/.local/share") + "/paas"
  }

  /// Makes the path absolute and refuses one whose sockets would not fit a socket address (107 bytes).
  init(_ given: String) throws(StartError) {
    var absolute = given
    if !absolute.hasPrefix("/") {
      guard let here = getcwd(nil, 0) else { throw StartError("cannot tell the current directory") }
      absolute = String(cString: here) + "/" + absolute
      free(here)
    }
    while absolute.count > 1, absolute.hasSuffix("/") { absolute.removeLast() }
    path = absolute
    if handoverSocket.utf8.count > 107 {
      throw StartError(
        "the data directory's path is \(path.utf8.count) bytes long, too long for its sockets",
        next: "choose a --data directory of at most \(107 - "/run/handover-4.sock".utf8.count) bytes")
    }
  }

  /// Makes the directories with their owners and modes. Whoever may not open a file cannot reach it through here:
  /// the data directory and run/ can be passed through (the roles need their sockets), nothing in them can be listed.
  func prepare(roles: RoleUsers) throws(StartError) {
    if roles.separate { try checkReachable() }
    do throws(SystemError) {
      try Files.makeDirectory(path, mode: 0o711)
      try checked("write to the data directory '\(path)'") { access(path, W_OK | X_OK) }
      if roles.separate, let mode = Files.mode(of: path), mode & 0o001 == 0 {
        // One that was made closed, as mktemp does: the roles pass through it, nobody lists it.
        try checked("let the roles pass '\(path)'") { chmod(path, mode | 0o001) }
      }
      for (directory, mode) in [(run, UInt32(0o711)), (path + "/secrets", 0o700), (path + "/builds", 0o700)] {
        try Files.makeDirectory(directory, mode: mode)
        try checked("set the mode of '\(directory)'") { chmod(directory, mode) }
      }
      for directory in ["cache", "slugs", "logs", "engine", "hooks", "hooks/pre-deploy.d"] {
        try Files.makeDirectory(path + "/" + directory, mode: 0o711)
      }
      for (directory, user) in [(receiver, roles.receiver), (routerDirectory, roles.router)] {
        try Files.makeDirectory(directory, mode: 0o700)
        try checked("give '\(directory)' to its role") { chown(directory, user.uid, user.gid) }
        try checked("set the mode of '\(directory)'") { chmod(directory, 0o700) }
      }
    } catch {
      throw StartError(error.message, next: "make it writable for this user, or choose another with --data DIR")
    }
  }

  /// The roles are other users: each directory above the data must let them pass.
  private func checkReachable() throws(StartError) {
    var above = ""
    for part in path.split(separator: "/").dropLast() {
      above += "/" + part
      guard let mode = Files.mode(of: above) else { return }  // not made yet: it will be made passable
      guard mode & 0o001 != 0 else {
        throw StartError(
          "'\(path)' lies in '\(above)', which other users cannot pass; receiver, router and apps are other users",
          next: "choose another place with --data (PAAS_DATA), or: chmod o+x '\(above)'")
      }
    }
  }

  /// Takes the lock that makes this the directory's only server, for as long as the process lives.
  func lock() throws(StartError) -> Int32 {
    let file = open(lockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw StartError(SystemError("open '\(lockFile)'").message) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      let holder = (try? Files.text(lockFile)) ?? ""
      close(file)
      throw StartError(
        "another paas server (pid \(holder.isEmpty ? "unknown" : holder)) already serves '\(path)'",
        next: "stop it with `paas server:stop --data \(path)`, or choose another --data DIR")
    }
    ftruncate(file, 0)
    try? Files.writeAll(Array("\(getpid())".utf8), to: file, name: lockFile)  // only for the message above
    return file
  }

  /// The SSH host keys as clients see them, from the public halves that the receiver keeps. Not followed through links:
  /// the directory is the receiver's own.
  func hostKeyFingerprints() -> [String] {
    ["ed25519", "rsa"].compactMap { type in
      let file = open("\(receiver)/ssh_host_\(type)_key.pub", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard file >= 0 else { return nil }
      defer { close(file) }
      var bytes = [UInt8](repeating: 0, count: 4096)
      let count = Glibc.read(file, &bytes, bytes.count)
      guard count > 0, let key = try? SSHKey(String(decoding: bytes[..<count], as: UTF8.self)) else { return nil }
      return "\(key.fingerprint) (\(type.uppercased()))"
    }
  }

  /// The server that holds the lock; `nil` when there is none.
  func runningServer() -> ProcessIdentity? {
    let file = open(lockFile, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    if flock(file, LOCK_SH | LOCK_NB) == 0 { return nil }
    guard let text = try? Files.text(lockFile), let pid = Int32(text) else { return nil }
    return ProcessIdentity(pid: pid)
  }
}

/// Why a server does not start. Printed as one sentence; the exit code is 1.
struct StartError: Error, Explained, CustomStringConvertible {
  let message: String
  let nextStep: String?

  init(_ message: String, next: String? = nil) {
    self.message = message
    nextStep = next
  }

  var description: String { message + (nextStep.map { "; " + $0 } ?? "") }
}
