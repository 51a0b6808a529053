import Glibc
import Linux

/// The unprivileged users the roles run as. When the server is not root, everything is the invoking user.
struct RoleUsers: Sendable {
  struct User: Sendable, Equatable {
    var uid: UInt32
    var gid: UInt32
  }

  var receiver: User
  var router: User
  /// Members may use the control socket; `nil` where there is no such group.
  var adminGroup: UInt32?
  /// Whether roles must be dropped to their users.
  var separate: Bool

  /// Finds the users; as root, makes those that do not exist yet.
  static func find() throws(StartError) -> RoleUsers {
    guard geteuid() == 0 else {
      let me = User(uid: getuid(), gid: getgid())
      return RoleUsers(receiver: me, router: me, adminGroup: nil, separate: false)
    }
    if getgrnam("paas") == nil { try run("/usr/sbin/groupadd", ["--system", "paas"]) }
    return RoleUsers(
      receiver: try user("paas-receiver"), router: try user("paas-router"),
      adminGroup: getgrnam("paas").map { $0.pointee.gr_gid }, separate: true)
  }

  private static func user(_ name: String) throws(StartError) -> User {
    if let found = getpwnam(name) { return User(uid: found.pointee.pw_uid, gid: found.pointee.pw_gid) }
    try run(
      "/usr/sbin/useradd",
      [
        "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
        name,
      ])
    guard let made = getpwnam(name), made.pointee.pw_uid != 0 else {
      throw StartError("the system user '\(name)' does not exist", next: "create it: useradd --system \(name)")
    }
    return User(uid: made.pointee.pw_uid, gid: made.pointee.pw_gid)
  }

  /// Before any thread exists, so a plain wait is fine here.
  private static func run(_ program: String, _ arguments: [String]) throws(StartError) {
    do throws(SystemError) {
      let child = try Child.spawn(
        ChildRequest(path: program, arguments: arguments, environment: ["PATH": "/usr/sbin:/usr/bin"]))
      var status: Int32 = 0
      try checked("wait for '\(program)'") { waitpid(child.pid, &status, 0) }
    } catch {
      throw StartError(error.message, next: "run as root once: \(program) \(arguments.joined(separator: " "))")
    }
  }
}
