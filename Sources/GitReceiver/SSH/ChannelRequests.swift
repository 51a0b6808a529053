import CSSH

/// What a client asked for on its channel, with what it said before.
struct ChannelTask {
  struct Terminal: Equatable {
    var name: String
    var columns: UInt16
    var rows: UInt16
  }

  enum Kind {
    case shell
    case exec(Result<ExecRequest, ExecRefusal>)
  }

  let channel: SSHChannel
  let kind: Kind
  /// Granted only where docs/conventions.md says so.
  let terminal: Terminal?
  let gitProtocol: String?
}

/// The requests at the start of a channel. The answer to a terminal request waits for the command that follows, because
/// only `run`, `ps:exec` and a session without a command get one.
struct ChannelRequests {
  /// Clients that wait for the answer before they send the command are granted the terminal after this time.
  static let patience: Duration = .milliseconds(250)

  /// Channels that may be opened and given up before one of them gets a command.
  static let mostOpened = 20

  let connection: SSHConnection

  private var opened = 0
  private var channel: SSHChannel?
  private var held: SSHMessage?
  private var heldSince = ContinuousClock.now
  private var terminal: ChannelTask.Terminal?
  private var gitProtocol: String?

  init(_ connection: SSHConnection) { self.connection = connection }

  /// Waits for a channel and its command. Throws ``SSHError/clientGone`` and ``SSHError/timeout(step:)``.
  mutating func next(until deadline: ContinuousClock.Instant) throws(SSHError) -> ChannelTask {
    while true {
      let waitUntil = held == nil ? deadline : min(deadline, heldSince + Self.patience)
      do throws(SSHError) {
        let message = try connection.message(until: waitUntil, step: "waiting for a command") { [channel] in
          // What the client gave up is closed from our side too (RFC 4254 section 5.3).
          if let channel, channel.isClosed { channel.close() }
        }
        if let task = take(message) { return task }
      } catch .timeout where ContinuousClock.now < deadline {
        held?.acceptRequest()
        held = nil
      }
    }
  }

  private mutating func take(_ message: SSHMessage) -> ChannelTask? {
    switch message.kind {
    case .openSession:
      letGo()
      guard channel == nil, opened < Self.mostOpened, let raw = message.acceptSession() else { break }
      channel = SSHChannel(raw, on: connection)
      opened += 1
    case .pty(let name, let columns, let rows):
      guard channel != nil, terminal == nil else { break }
      terminal = ChannelTask.Terminal(name: name, columns: columns, rows: rows)
      held = message
      heldSince = .now
    case .windowChange(let columns, let rows):
      terminal?.columns = columns
      terminal?.rows = rows
    case .environment(name: "GIT_PROTOCOL", let value):
      gitProtocol = value
      message.acceptRequest()
    case .shell: return start(.shell, wantsTerminal: true, message)
    case .exec(let bytes):
      let request = Result { () throws(ExecRefusal) in try ExecRequest(parsing: bytes) }
      return start(.exec(request), wantsTerminal: (try? request.get())?.wantsTerminal == true, message)
    default: break  // subsystems, forwarding, agent, X11, other variables: refused as the message goes
    }
    return nil
  }

  /// A channel that the client gave up without a command makes room for another. libssh frees it with the connection,
  /// hence the limit.
  private mutating func letGo() {
    guard let channel, channel.isClosed else { return }
    channel.close()
    (self.channel, held, terminal, gitProtocol) = (nil, nil, nil, nil)
  }

  private mutating func start(_ kind: ChannelTask.Kind, wantsTerminal: Bool, _ message: SSHMessage) -> ChannelTask? {
    guard let channel else { return nil }
    if wantsTerminal { held?.acceptRequest() } else { held?.refuse() }
    held = nil
    message.acceptRequest()
    return ChannelTask(
      channel: channel, kind: kind, terminal: wantsTerminal ? terminal : nil, gitProtocol: gitProtocol)
  }
}
