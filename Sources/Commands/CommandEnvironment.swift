import Glibc
import Linux
import Synchronization

/// What a command takes from its environment, read in this file only.
struct CommandEnvironment: Sendable {
  /// `PAAS_HOST`
  var host: String?
  /// `PAAS_APP`
  var app: String?
  /// `PAAS_DATA`
  var dataDirectory: String?
  /// `PAAS_TOKEN`
  var token: String?
  /// `PAAS_OVER_SSH`: the receiver runs us for somebody else; files and repositories here are not theirs.
  var isOverSSH = false
  /// `PAAS_SESSION_FD`: the descriptor that the session's token can be read from.
  var sessionDescriptor: Int32?
  /// `TERM`
  var terminalType: String?
  var home: String?
  var isRoot = false
  var directory = "."

  init(
    host: String? = nil, app: String? = nil, dataDirectory: String? = nil, isOverSSH: Bool = false, home: String? = nil,
    isRoot: Bool = false, directory: String = "."
  ) {
    self.host = host
    self.app = app
    self.dataDirectory = dataDirectory
    self.isOverSSH = isOverSSH
    self.home = home
    self.isRoot = isRoot
    self.directory = directory
  }

  private init(_ variables: [String: String]) {
    func value(_ name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }
    host = value("PAAS_HOST")
    app = value("PAAS_APP")
    dataDirectory = value("PAAS_DATA")
    token = value("PAAS_TOKEN")
    isOverSSH = value("PAAS_OVER_SSH") == "1"
    sessionDescriptor = value("PAAS_SESSION_FD").flatMap { Int32($0) }
    terminalType = value("TERM")
    home = value("HOME")
    isRoot = geteuid() == 0
  }

  /// Of this process.
  static let current = CommandEnvironment(Machine.environment)

  /// Where the local server keeps its control socket.
  var controlSocket: String {
    let own = isRoot ? "/var/lib/paas" : "\(home ?? "")/.local/share/paas"
    return "\(dataDirectory ?? own)/run/control.sock"
  }

  /// The token of the SSH session we run for, or `PAAS_TOKEN`. The descriptor can be read once, so its text is kept.
  func sessionToken() throws -> String? {
    guard let descriptor = sessionDescriptor else { return token }
    return try Self.readToken.withLock { kept in
      if let kept { return kept }
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 256)
      while bytes.count < 4096 {
        let count = try checked("read the session's token") { read(descriptor, &buffer, buffer.count) }
        if count == 0 { break }
        bytes += buffer[0..<count]
      }
      close(descriptor)
      let text = String(decoding: bytes, as: UTF8.self)
      let token = String(text.prefix { $0 != "\n" && $0 != "\r\n" })
      kept = token
      return token
    }
  }

  private static let readToken = Mutex<String?>(nil)
}
