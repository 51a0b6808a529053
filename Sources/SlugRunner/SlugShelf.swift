import CLinux
import Crypto
import Glibc
import Linux
import Platform
import Sandbox

/// The slugs that are unpacked on this machine: one read-only tree per app and digest, shared by all instances.
struct SlugShelf: Sendable {
  /// Trees that are kept per app beside the one in use, newest first.
  static let kept = 5

  let directory: EngineDirectory
  let sandbox: Sandbox
  let programPath: String

  func tree(_ app: AppID, _ digest: SlugDigest) -> String { "\(directory.unpacked(app))/\(digest)" }

  /// Trees from an earlier boot may be incomplete, since their files were never synced one by one: they go, and the
  /// slug is unpacked again.
  func sweepAfterBoot() throws {
    let boot = Machine.bootID
    if Files.exists(directory.bootID), try Files.text(directory.bootID) == boot { return }
    try Files.removeTree(directory.unpacked)
    try EngineDirectory.makeEnterable(directory.unpacked)
    try Files.writeDurably(boot.utf8, to: directory.bootID)
  }

  /// Reads the slug's file to its end and compares its SHA-256; throws ``BootFailure`` where it is missing or not the
  /// one the ledger names. Returns the descriptor, at its start, for the caller to close.
  func openVerified(_ digest: SlugDigest, path: String) throws -> Int32 {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw BootFailure.slugMissing(digest) }
    do {
      var hash = SHA256()
      var buffer = [UInt8](repeating: 0, count: 1 << 20)
      while true {
        let count = try checked("read '\(path)'") { read(file, &buffer, buffer.count) }
        if count == 0 { break }
        buffer.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
      }
      let found = hash.finalize().map { hexadecimal($0) }.joined()
      guard found == digest.description else { throw BootFailure.slugDamaged(digest) }
      try checked("seek in '\(path)'") { lseek(file, 0, SEEK_SET) }
      return file
    } catch {
      close(file)
      throw error
    }
  }

  /// Unpacks in a sandbox, as the app's user, and puts the tree in its place when it is whole.
  func unpack(_ slug: Int32, app: AppID, digest: SlugDigest, hostUser: UInt32) async throws {
    let target = tree(app, digest)
    let workshop = "\(target).tmp.\(UInt32.random(in: 0 ... .max))"
    let spec = SandboxSpec(
      id: sandbox.identifier("unpack-\(InstanceID())"), arguments: [SandboxMount.programPath, "worker", "unpack"],
      environment: ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"], hostUser: hostUser,
      mounts: sandbox.mounts(program: programPath)
        + [SandboxMount(.bind(source: "\(workshop)/app", readOnly: false), at: "/app")])
    do {
      try await blocking {
        try EngineDirectory.makeEnterable(directory.unpacked(app))
        try EngineDirectory.makeEnterable(workshop)
        try sandbox.makeDirectory("\(workshop)/app", for: hostUser)
        try sandbox.writeBundle(spec, at: "\(workshop)/bundle")
      }
      let (status, said) = try await run(spec, bundle: "\(workshop)/bundle", input: slug)
      guard status == 0 else {
        throw BootFailure.sandbox("cannot unpack slug \(digest.description.prefix(12)): \(said) (status \(status))")
      }
      try await blocking {
        try checked("rename '\(workshop)/app'") { rename("\(workshop)/app", target) }
        try Files.removeTree(workshop)
      }
    } catch {
      await blocking { _ = try? Files.removeTree(workshop) }  // the cause counts, not what is left
      throw error
    }
  }

  private func run(_ spec: SandboxSpec, bundle: String, input: Int32) async throws -> (status: Int, said: String) {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("make a pipe") { paas_pipe(&ends) }
    let (read, write) = (ends[0], ends[1])
    defer { close(read) }
    let process: SandboxProcess
    do {
      defer { close(write) }
      process = try await sandbox.start(spec, bundle: bundle, stdin: input, stdout: write, stderr: write)
    }
    let said = await blocking { Self.lastWords(from: read) }
    return (await process.exitStatus(), said)
  }

  private static func lastWords(from descriptor: Int32) -> String {
    var kept: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count == 0 || (count < 0 && errno != EINTR) { break }
      if count > 0 { kept = Array((kept + buffer[0..<count]).suffix(2048)) }
    }
    return String(decoding: kept, as: UTF8.self).split(separator: "\n").joined(separator: "; ")
  }

  /// Marks a tree as just used, and removes the app's oldest ones that are neither in use nor among the newest.
  func used(_ app: AppID, _ digest: SlugDigest, inUse: Set<SlugDigest>) throws {
    utimensat(AT_FDCWD, tree(app, digest), nil, 0)
    let trees = try Files.names(in: directory.unpacked(app)).compactMap { name -> (name: String, time: Int)? in
      guard (try? SlugDigest(name)) != nil else { return nil }  // a workshop
      var info = stat()
      guard lstat("\(directory.unpacked(app))/\(name)", &info) == 0 else { return nil }
      return (name, info.st_mtim.tv_sec)
    }
    let names = Set(inUse.map(\.description)).union([digest.description])
    for tree in trees.sorted(by: { $0.time > $1.time }).dropFirst(Self.kept) where !names.contains(tree.name) {
      try Files.removeTree("\(directory.unpacked(app))/\(tree.name)")
    }
  }
}

private func hexadecimal(_ byte: UInt8) -> String {
  (byte < 16 ? "0" : "") + String(byte, radix: 16)
}
