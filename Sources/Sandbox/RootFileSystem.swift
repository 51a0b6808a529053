import Glibc
import Linux

/// The root of every sandbox: an allow-list. What is not named here does not exist inside, so `/root`, `/home`,
/// `/var/lib` and `/etc/shadow` need no hiding.
struct RootFileSystem {
  var hostname: String

  /// Of the host's /etc, read-only, where it exists. Private keys under /etc/ssl/private stay outside.
  static let sharedConfiguration = [
    "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ld.so.cache", "/etc/alternatives", "/etc/services",
    "/etc/protocols", "/etc/mime.types",
  ]

  private static let directories = ["app", "dev", "etc/ssl", "proc", "run/paas", "sys", "tmp", "usr", "var"]
  private static let links = [
    "bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin", "var/tmp": "/tmp",
  ]

  /// Makes the skeleton in an empty directory, with a mount point for each destination.
  func write(at root: String, mounts: [SandboxMount]) throws {
    for directory in Self.directories { try makeDirectory(directory, in: root) }
    for (name, target) in Self.links where name.hasPrefix("var/") || isLink("/\(name)") {
      try checked("link '\(root)/\(name)'") { symlink(target, "\(root)/\(name)") }
    }
    for (name, text) in files { try write(text, to: "\(root)/etc/\(name)") }
    try writeTimeZone(to: "\(root)/etc/localtime")
    for mount in mounts { try makeMountPoint(for: mount, in: root) }
  }

  private var files: [String: String] {
    [
      "passwd": """
      root:x:0:0:root:/:/usr/sbin/nologin
      app:x:1000:1000:app:/app:/bin/sh
      nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin

      """,
      "group": "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n",
      "hosts": "127.0.0.1 localhost \(hostname)\n::1 localhost ip6-localhost ip6-loopback\n",
      "hostname": hostname + "\n",
      "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
      // A machine without a resolver still runs apps.
      "resolv.conf": (try? Files.text("/etc/resolv.conf", limit: 64 << 10)) ?? "",
    ]
  }

  private func write(_ text: String, to path: String) throws {
    let file = try checked("create '\(path)'") { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644) }
    defer { close(file) }
    try Files.writeAll(Array(text.utf8), to: file, name: path)
    try checked("set the mode of '\(path)'") { fchmod(file, 0o644) }
  }

  private func writeTimeZone(to path: String) throws {
    var resolved = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    guard realpath("/etc/localtime", &resolved) != nil else { return }
    let zone = String(decoding: resolved.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard zone.hasPrefix("/usr/") else { return }
    try checked("link '\(path)'") { symlink(zone, path) }
  }

  private func makeMountPoint(for mount: SandboxMount, in root: String) throws {
    guard case .bind(let source, _) = mount.kind, !(try isDirectory(source)) else {
      return try makeDirectory(mount.destination, in: root)
    }
    let path = mount.destination.split(separator: "/")
    try makeDirectory(path.dropLast().joined(separator: "/"), in: root)
    if !Files.exists(root + mount.destination) { try write("", to: root + mount.destination) }
  }

  /// Makes each directory on the way, open to the sandbox's user whatever our umask is.
  private func makeDirectory(_ path: String, in root: String) throws {
    var current = root
    for part in path.split(separator: "/") {
      current += "/\(part)"
      try Files.makeDirectory(current)
      try checked("set the mode of '\(current)'") { chmod(current, 0o755) }
    }
  }

  private func isDirectory(_ path: String) throws -> Bool {
    var info = stat()
    try checked("look at '\(path)'") { stat(path, &info) }
    return info.st_mode & S_IFMT == S_IFDIR
  }

  private func isLink(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK
  }
}
