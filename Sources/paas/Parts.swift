import API
import Buildpacks
import ControlPlane
import Linux
import Logging
import Platform
import Sandbox
import SlugRunner
import Store

/// The rooms of the server, wired. The only place that knows them all.
struct Parts: Sendable {
  let configuration: ServerConfiguration
  let engine: LocalEngine
  let controlPlane: ControlPlane
  let logger: Logger
}
