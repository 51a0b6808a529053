import ArgumentParser
import Buildpacks
import Glibc

// The role decides before anything else runs: a worker has no business with the rest of the program,
// and the other roles were dropped to their own users before this program was even loaded.
signal(SIGPIPE, SIG_IGN)
if CommandLine.arguments.dropFirst().first == "worker" {
  exit(Worker.main(Array(CommandLine.arguments.dropFirst(2))))
}
await Paas.main()
