import Buildpacks
import Commands
import Glibc
import Linux

// The role decides before anything else runs: a worker has no business with the rest of the program, and the other
// roles were dropped to their own users before this program was even loaded. Over SSH there are no roles at all.
signal(SIGPIPE, SIG_IGN)
let arguments = Array(CommandLine.arguments.dropFirst())
if Machine.environment["PAAS_OVER_SSH"] != nil {
  exit(await Commands.main(PaasOverSSH.self, arguments: arguments))
} else if arguments.first == "worker" {
  exit(Worker.main(Array(arguments.dropFirst())))
} else {
  exit(await Commands.main(Paas.self, arguments: arguments))
}
