/// The parts of the OCI runtime specification 1.0 (config.json) that a sandbox uses.
struct ContainerDescription: Encodable {
  struct Process: Encodable {
    struct User: Encodable {
      var uid: UInt32
      var gid: UInt32
    }
    struct Limit: Encodable {
      var type: String
      var hard: UInt64
      var soft: UInt64
    }
    /// Empty sets: no capability survives, not even those of the user namespace.
    struct Capabilities: Encodable {
      var bounding: [String] = []
      var effective: [String] = []
      var inheritable: [String] = []
      var permitted: [String] = []
      var ambient: [String] = []
    }

    struct Size: Encodable {
      var height: UInt16
      var width: UInt16
    }

    var terminal: Bool
    var consoleSize: Size?
    var user = User(uid: 1000, gid: 1000)
    var args: [String]
    var env: [String]
    var cwd: String
    var noNewPrivileges = true
    var capabilities = Capabilities()
    var rlimits = [Limit(type: "RLIMIT_CORE", hard: 0, soft: 0)]
    var oomScoreAdj: Int
  }

  struct Root: Encodable {
    var path: String
    var readonly = true
  }

  struct Mount: Encodable {
    var destination: String
    var type: String
    var source: String
    var options: [String]
  }

  struct Linux: Encodable {
    struct Namespace: Encodable { var type: String }
    struct Mapping: Encodable {
      var containerID: UInt32
      var hostID: UInt32
      var size: UInt32
    }
    struct Resources: Encodable {
      struct Memory: Encodable { var limit: Int64 }
      struct Processes: Encodable { var limit: Int64 }
      struct CPU: Encodable {
        var quota: Int64
        var period: UInt64
      }
      var memory: Memory?
      var pids: Processes?
      var cpu: CPU?
    }

    var namespaces = ["user", "pid", "mount", "ipc", "uts"].map { Namespace(type: $0) }
    var uidMappings: [Mapping]
    var gidMappings: [Mapping]
    var cgroupsPath: String?
    var resources: Resources?
    var seccomp = Seccomp.standard
    var maskedPaths = [
      "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
      "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
    ]
    var readonlyPaths = ["/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
  }

  var ociVersion = "1.0.0"
  var process: Process
  var root: Root
  var hostname: String
  var mounts: [Mount]
  var linux: Linux
}
