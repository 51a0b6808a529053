import ArgumentParser
import Client
import Glibc
import Linux
import Platform
import Wire

struct Keys: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "List the SSH keys that may log in as you.", aliases: ["ssh-keys", "ssh-keys:list"])

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let keys: [KeyResource] = try await connection.client().get("/account/keys")
    if json { return try Console.json(keys) }
    if keys.isEmpty { return Console.note("You have no SSH keys. `paas keys:add FILE` adds one.\n") }
    Console.out(Self.text(keys))
  }

  static func text(_ keys: [KeyResource]) -> String {
    let rows = keys.map {
      [$0.fingerprint, $0.public_key.split(separator: " ").first.map(String.init) ?? "", $0.comment]
    }
    return Layout.titled("\(keys.first?.email ?? "") keys", Layout.columns(rows))
  }
}

struct KeysAdd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys:add", abstract: "Let an SSH key log in as you.", aliases: ["ssh-keys:add"])

  @Argument(help: "A public key file; '-' reads standard input. Without it, ~/.ssh/id_ed25519.pub or id_rsa.pub.")
  var file: String?
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let client = try connection.client()
    let key = try await publicKey(.current)
    let type = key.split(separator: " ").first.map(String.init) ?? ""
    let added: KeyResource = try await Console.progress("Uploading \(printable(type)) SSH key") {
      try await client.post("/account/keys", KeyCreate(public_key: key))
    }
    Console.out("\(added.fingerprint)\n")
    if type.hasPrefix("sk-") {
      Console.note("The server does not check that the key's device was touched; only the device asks for it.\n")
    }
  }

  private func publicKey(_ environment: CommandEnvironment) async throws -> String {
    if file == "-" || environment.isOverSSH && file == nil { return try await Input.text(limit: 64 << 10) }
    if environment.isOverSSH {
      throw CommandError(.usage, "files here are not yours over SSH", next: "send the key: ssh … keys:add < key.pub")
    }
    let own = ["id_ed25519.pub", "id_rsa.pub", "id_ecdsa.pub"].map { "\(environment.home ?? "")/.ssh/\($0)" }
    guard let path = file ?? own.first(where: Files.exists) else {
      throw CommandError(.usage, "there is no SSH key in ~/.ssh", next: "make one: ssh-keygen -t ed25519")
    }
    let text = try Files.text(path, limit: 64 << 10)
    if text.contains("PRIVATE KEY") {
      throw CommandError(
        .usage, "'\(printable(path))' is a private key, which nobody else should see", next: "use \(path).pub")
    }
    return text
  }
}

struct KeysRemove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys:remove", abstract: "Take an SSH key's access away.", aliases: ["ssh-keys:remove"])

  @Argument(help: "The key's fingerprint, as `paas keys` shows it, or its id.") var key: String
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let client = try connection.client()
    _ = try await Console.progress("Removing \(printable(key))") {
      try await client.delete("/account/keys/\(percentEncoded(key))", as: KeyResource.self)
    }
  }
}

/// Standard input as a value.
enum Input {
  /// All of it, byte for byte; throws ``CommandError`` when it is no UTF-8 or too long.
  static func text(limit: Int) async throws -> String {
    let bytes = try await blocking { () throws -> [UInt8] in
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      while bytes.count <= limit {
        let count = try checked("read standard input") { read(STDIN_FILENO, &buffer, buffer.count) }
        if count == 0 { break }
        bytes += buffer[0..<count]
      }
      return bytes
    }
    return try text(bytes, limit: limit, named: "standard input")
  }

  static func text(_ bytes: [UInt8], limit: Int, named name: String) throws -> String {
    guard bytes.count <= limit else { throw CommandError(.usage, "\(name) holds more than \(limit) bytes") }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandError(.usage, "\(name) is not UTF-8", next: "encode it, for example as base64")
    }
    return text
  }
}
