import ArgumentParser
import Buildpacks
import Glibc
import Linux

// The role decides before anything else runs: a worker has no business with the rest of the program, and the other
// roles were dropped to their own users before this program was even loaded. Over SSH there are no roles at all.
signal(SIGPIPE, SIG_IGN)
if Machine.environment["PAAS_OVER_SSH"] != nil {
  await PaasOverSSH.main()
} else if CommandLine.arguments.dropFirst().first == "worker" {
  exit(Worker.main(Array(CommandLine.arguments.dropFirst(2))))
} else {
  await Paas.main()
}
