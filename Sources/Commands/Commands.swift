public import ArgumentParser
import Glibc
import Linux
import Platform

/// Every command, once: the CLI, SSH and the executable's own help come from this list.
public enum Commands {
  /// The version of this program.
  public static let version = "0.1.0"

  /// For the executable's root command, which adds the roles.
  public static let all: [any ParsableCommand.Type] = [
    Apps.self, AppsCreate.self, AppsInfo.self, AppsDestroy.self,
    GitRemote.self,
    Keys.self, KeysAdd.self, KeysRemove.self,
    Config.self, ConfigGet.self, ConfigSet.self, ConfigUnset.self,
    Processes.self, ProcessesScale.self, ProcessesRestart.self,
    Releases.self, ReleasesInfo.self, ReleasesRollback.self,
    Builds.self, BuildsInfo.self, BuildsOutput.self, BuildsCreate.self,
    Run.self, Logs.self,
    Domains.self, DomainsAdd.self, DomainsRemove.self, DomainsClear.self,
    Maintenance.self, MaintenanceOn.self, MaintenanceOff.self,
    Routing.self, RoutingSet.self, RoutingUnset.self,
    Redirects.self, RedirectsAdd.self, RedirectsRemove.self,
    Auth.self, AuthAdd.self, AuthRemove.self, IPs.self, IPsAllow.self, IPsRemove.self,
    IPsClear.self,
    PagesSet.self, PagesUnset.self, Metrics.self, RouterRestart.self,
    Whoami.self, PlatformInfo.self, Doctor.self, Explain.self, Version.self,
  ]

  /// Parses and runs a command line, without the program's name. Prints what went wrong; returns the exit status.
  public static func main(_ root: any ParsableCommand.Type, arguments: [String]) async -> Int32 {
    do {
      var command = try root.parseAsRoot(CommandLineWords.normalized(arguments, CommandEnvironment.current))
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      return 0
    } catch {
      return report(error, root)
    }
  }

  private static func report(_ error: any Error, _ root: any ParsableCommand.Type) -> Int32 {
    let status = ExitStatus(of: error, root)
    switch error {
    case is ExitCode: break
    case let error as any Explained: Console.error(error)
    case is ClosedOutput: break
    default:
      let text = root.fullMessage(for: error)
      // Help and --version are answers, not errors.
      if status == .done { Console.out(text + "\n") } else { Console.note(text + "\n") }
    }
    return status.rawValue
  }
}
