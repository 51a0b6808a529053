import Glibc
import NIOCore

/// How far what was written to a channel, or to two, has come. Asked when a time-out is due, and never before: what is handed to the
/// kernel says little about a slow peer, as a socket takes more only when a third of its buffer is free.
struct SentBytes {
  /// Bytes that are not in the kernel's hands yet.
  var waiting = 0
  /// Bytes that the peer has acknowledged since the connection was made.
  var acknowledged: UInt64 = 0
}

extension SentBytes {
  init(_ channel: (any Channel)?) {
    self.init()
    guard let channel, let options = channel.syncOptions else { return }
    waiting = (try? options.getOption(.bufferedWritableBytes)) ?? 0  // it is closed: none will leave
    guard waiting > 0, let provider = channel as? any SocketOptionProvider else { return }
    // Done on the spot, on the channel's own loop.
    var found: UInt64 = 0
    provider.unsafeGetSocketOption(level: NIOBSDSocket.OptionLevel.tcp, name: .init(rawValue: TCP_INFO))
      .assumeIsolated().whenSuccess { (info: TCPInfo) in found = info.words[15] }
    acknowledged = found
  }

  mutating func add(_ other: SentBytes?) {
    guard let other else { return }
    waiting &+= other.waiting
    acknowledged &+= other.acknowledged
  }

  /// The beginning of Linux's `struct tcp_info` (linux/tcp.h), of which the sixteenth word is `tcpi_bytes_acked`; the C
  /// library's own is older.
  private struct TCPInfo: Sendable {
    var words: InlineArray<16, UInt64> = .init(repeating: 0)
  }
}

/// Tells slow from dead: looks at a peer again and again once its time is over.
struct SendWatch {
  enum Finding: Equatable {
    /// Nothing is on its way, nor was it when this was last asked.
    case idle
    /// Some was acknowledged lately, or this is the first look.
    case moving
    /// All has left since the last look.
    case finished
    /// Bytes wait, and the peer has taken none for as long as the patience lasts.
    case stuck
  }

  private var last: SentBytes?
  private var moved = NIODeadline.distantPast

  mutating func reset() { last = nil }

  mutating func look(_ sent: SentBytes, at now: NIODeadline, patience: TimeAmount) -> Finding {
    guard sent.waiting > 0 else {
      defer { last = nil }
      return last == nil ? .idle : .finished
    }
    if last?.acknowledged != sent.acknowledged { moved = now }
    last = sent
    return now - moved < patience ? .moving : .stuck
  }
}
