internal import Archive
internal import Glibc
internal import Linux
internal import Platform

/// The half of a build that reads what nobody vouches for. It runs inside the sandbox, as the app's user, as
/// `paas worker build` and `paas worker unpack`.
public enum Worker {
  /// Runs the verb in `arguments` and returns the exit status: 0 done, 1 failed, 2 usage.
  public static func main(_ arguments: [String]) -> Int32 {
    // Names in tar's own UTF-8 headers come through as bytes only in a UTF-8 locale.
    setlocale(LC_CTYPE, "C.UTF-8")
    umask(0o022)
    switch arguments.first {
    case "build" where arguments.count == 1: return BuildWorker.main()
    case "unpack" where arguments.count == 1: return unpack()
    default:
      complain("usage: paas worker build|unpack (inside a sandbox)")
      return 2
    }
  }

  /// Standard input is a slug; it is unpacked into /app. The reason of a failure goes to standard error.
  private static func unpack() -> Int32 {
    do {
      let app = try openDirectory(WorkerPath.app)
      defer { close(app) }
      let limits = ArchiveLimits(entries: 1_000_000, totalBytes: 16 << 30, links: .anywhere)
      _ = try Untar.extract(from: STDIN_FILENO, into: app, limits: limits)
      return 0
    } catch {
      complain("cannot unpack the slug: \(text(of: error))")
      return 1
    }
  }

  static func complain(_ line: String) {
    // Nobody is left to tell when standard error is gone.
    _ = try? Files.writeAll(Array("\(line)\n".utf8), to: STDERR_FILENO, name: "standard error")
  }
}

func openDirectory(_ path: String) throws(SystemError) -> Int32 {
  try checked("open '\(path)'") { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
}

/// An error's sentence.
func text(of error: any Error) -> String { (error as? any Explained)?.message ?? String(describing: error) }
