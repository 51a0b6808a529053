import Buildpacks
import Glibc

if CommandLine.arguments.dropFirst().first == "worker" {
  exit(Worker.main(Array(CommandLine.arguments.dropFirst(2))))
}
print("paas")
