import CGit2
import Glibc
import Linux
import Platform

/// One bare repository, and on top of it, for one push, the objects of its quarantine. A handle of libgit2: for the
/// thread that opened it; other threads open their own.
final class Repository {
  /// `…/APPID.git`
  let path: String
  /// libgit2's, for extensions in other files.
  let handle: OpaquePointer
  private let odb: OpaquePointer

  /// Opens the repository at `path`; with `quarantine` (a push's directory, if it still is there) its objects are seen
  /// too. Throws ``GitError``.
  static func open(_ path: String, quarantine: String? = nil) throws -> Repository {
    try open(path, objects: quarantine.map { "\($0)/objects" })
  }

  /// Opens the repository at `path` together with another directory of objects, if that is there.
  static func open(_ path: String, objects: String?) throws -> Repository {
    try LibGit2.start()
    var handle: OpaquePointer?
    try git("open repository '\(path)'") { git_repository_open_bare(&handle, path) }
    guard let handle else { throw GitError(.internalError, "libgit2 opened nothing at '\(path)'") }
    var odb: OpaquePointer?
    do throws(GitError) {
      try git("open the objects of '\(path)'") { git_repository_odb(&odb, handle) }
      guard let odb else { throw GitError(.internalError, "libgit2 opened no objects at '\(path)'") }
      if let objects, Files.exists(objects) {
        try git("open the quarantine '\(objects)'") { git_odb_add_disk_alternate(odb, objects) }
      }
      return Repository(path: path, owning: handle, odb)
    } catch {
      git_odb_free(odb)
      git_repository_free(handle)
      throw error
    }
  }

  /// Makes the repository, unless it is there. Throws ``GitError``.
  static func create(_ path: String) throws {
    if Files.exists("\(path)/HEAD") { return }
    try LibGit2.start()
    var handle: OpaquePointer?
    try git("create repository '\(path)'") { git_repository_init(&handle, path, 1) }
    git_repository_free(handle)
    // libgit2's template brings samples.
    try Files.removeTree("\(path)/hooks")
    try Files.syncDirectory(of: path)
  }

  private init(path: String, owning handle: OpaquePointer, _ odb: OpaquePointer) {
    self.path = path
    self.handle = handle
    self.odb = odb
  }

  deinit {
    git_odb_free(odb)
    git_repository_free(handle)
  }
}

// MARK: Objects

extension Repository {
  func contains(_ id: ObjectID) -> Bool {
    var oid = id.oid
    return git_odb_exists(odb, &oid) == 1
  }

  /// Kind and size without the contents; `nil` when the object is not there. Throws ``GitError``.
  func header(of id: ObjectID) throws(GitError) -> (kind: ObjectKind, size: Int)? {
    var oid = id.oid
    var size = 0
    var type = GIT_OBJECT_INVALID
    guard try gitFound("read the head of object \(id)", { git_odb_read_header(&size, &type, odb, &oid) }) else {
      return nil
    }
    return (try Self.kind(type, id), size)
  }

  /// The whole object; `nil` when it is not there. Throws ``GitError``, also for one larger than `limit` bytes.
  func object(_ id: ObjectID, limit: Int = PackLimits().objectBytes) throws(GitError) -> (
    kind: ObjectKind, data: [UInt8]
  )? {
    guard let header = try header(of: id) else { return nil }
    guard header.size <= limit else {
      throw GitError(.limit, "object \(id) has \(header.size) bytes, the limit is \(limit)")
    }
    var oid = id.oid
    var object: OpaquePointer?
    try git("read object \(id)") { git_odb_read(&object, odb, &oid) }
    defer { git_odb_object_free(object) }
    let bytes = UnsafeRawBufferPointer(start: git_odb_object_data(object), count: git_odb_object_size(object))
    return (header.kind, Array(bytes))
  }

  /// As ``object(_:limit:)``, where anything else than that kind is an error.
  func contents(of id: ObjectID, _ kind: ObjectKind) throws(GitError) -> [UInt8] {
    guard let object = try object(id) else { throw GitError(.badObjects, "the \(kind.name) \(id) is missing") }
    guard object.kind == kind else {
      throw GitError(.badObjects, "\(id) is a \(object.kind.name), not a \(kind.name)")
    }
    return object.data
  }

  private static func kind(_ type: git_object_t, _ id: ObjectID) throws(GitError) -> ObjectKind {
    guard let number = UInt8(exactly: type.rawValue), let kind = ObjectKind(rawValue: number) else {
      throw GitError(.internalError, "object \(id) has the unknown type \(type.rawValue)")
    }
    return kind
  }
}

// MARK: History

extension Repository {
  /// Whether `new` has `old` among its ancestors, or is it. Throws ``GitError``.
  func isFastForward(from old: ObjectID, to new: ObjectID) throws(GitError) -> Bool {
    if old == new { return true }
    var (from, to) = (old.oid, new.oid)
    return try git("compare \(old) with \(new)") { git_graph_descendant_of(handle, &to, &from) } == 1
  }
}

extension Repository {
  /// What a tag leads to in the end; `nil` for everything that is no tag, or leads nowhere. Throws ``GitError``.
  func peel(_ id: ObjectID) throws(GitError) -> ObjectID? {
    var id = id
    for depth in 0..<1000 {
      guard let kind = try header(of: id)?.kind else { return nil }
      guard kind == .tag else { return depth == 0 ? nil : id }
      guard let tag = ObjectLinks.tag(try contents(of: id, .tag)) else { return nil }
      id = tag.target
    }
    return nil
  }
}

// MARK: Refs

extension Repository {
  /// All refs and the objects they name. Throws ``SystemError``.
  func refs() throws -> [(name: String, id: ObjectID)] {
    try RefFiles(path).all().map { (String(decoding: $0.name, as: UTF8.self), $0.id) }
  }

  /// What a ref names; `nil` when it does not exist. Throws ``SystemError``.
  func target(of ref: RefName) throws -> ObjectID? { try RefFiles(path).resolve(ref.bytes)?.id }

  /// Compare-and-swap: moves the ref from `old` to `new` (zero: not there), durably. `false` when it stands elsewhere.
  /// Throws ``GitError``, also when somebody else holds the ref's lock for longer than a moment.
  func move(_ ref: RefName, from old: ObjectID, to new: ObjectID) throws -> Bool {
    var transaction = RefTransaction(RefLocks(RefFiles(path)))
    transaction.lockTimeout = .seconds(2)
    transaction.add(try update(ref, from: old, to: new))
    do {
      try transaction.prepare()
      try transaction.commit(logs: nil)
      return true
    } catch let error as RefFailure {
      if try target(of: ref) ?? ObjectID([]) != old { return false }
      throw GitError(.internalError, error.message)
    }
  }

  /// One change of a ref, as a transaction takes it.
  func update(_ ref: RefName, from old: ObjectID, to new: ObjectID) throws(GitError) -> RefTransaction.Update {
    var update = RefTransaction.Update(name: ref.bytes, old: old, new: new)
    if !new.isZero {
      update.isCommit = try header(of: new)?.kind == .commit
      update.peeled = try peel(new)
    }
    return update
  }

  /// Makes HEAD name the branch, so that a clone checks it out.
  func setHead(_ ref: RefName) throws(GitError) {
    try git("point HEAD to '\(ref)'") { git_repository_set_head(handle, ref.description) }
  }
}

extension RefName {
  var bytes: [UInt8] { Array(description.utf8) }
}
