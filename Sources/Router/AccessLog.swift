import Dispatch
import Glibc
import NIOCore
import Synchronization

/// Access log lines of all event loops on their way out. It never makes a loop wait: when too much waits already, lines
/// are dropped, and counted per app.
final class AccessLog: Sendable {
  enum Style: Sendable {
    /// Nobody wants them.
    case off
    /// For the server: `APP-ID MICROSECONDS TEXT`.
    case wire
    /// For a file: `2026-01-16T15:13:46.677020+00:00 NAME[router]: TEXT`.
    case file
  }

  private struct State {
    var pieces: [ByteBuffer] = []
    var bytes = 0
  }

  let style: Style
  private static let small = 16 << 10
  private let limit: Int
  private let state = Mutex(State())
  private let full = Atomic<Bool>(false)
  private let lost = Atomic<Int>(0)
  private let stopped = Atomic<Bool>(false)
  private let waiting = DispatchSemaphore(value: 0)

  init(_ style: Style, limit: Int) {
    self.style = style
    self.limit = limit
  }

  /// No room: a line that would be made now has to be counted as lost instead.
  var isFull: Bool { full.load(ordering: .relaxed) }
  /// Lines lost since the start.
  var dropped: Int { lost.load(ordering: .relaxed) }

  func countDropped() { lost.add(1, ordering: .relaxed) }

  /// A small piece is put behind the last one: its memory is made for many lines.
  func append(_ piece: ByteBuffer) {
    state.withLock { state in
      if piece.readableBytes > Self.small {
        state.pieces.append(piece)
      } else if let last = state.pieces.indices.last, state.pieces[last].readableBytes <= Self.small {
        state.pieces[last].writeImmutableBuffer(piece)
      } else {
        var copy = ByteBuffer()
        copy.writeImmutableBuffer(piece)
        state.pieces.append(copy)
      }
      state.bytes += piece.readableBytes
      full.store(state.bytes >= limit, ordering: .relaxed)
    }
    if style == .file { waiting.signal() }
  }

  /// The oldest lines, whole ones, about `most` bytes; `nil` when there are none.
  func take(most: Int = 256 << 10) -> ByteBuffer? {
    state.withLock { state in
      guard !state.pieces.isEmpty else { return nil }
      var result = state.pieces.removeFirst()
      while let next = state.pieces.first, result.readableBytes + next.readableBytes <= most {
        var piece = next
        result.writeBuffer(&piece)
        state.pieces.removeFirst()
      }
      state.bytes -= result.readableBytes
      full.store(state.bytes >= limit, ordering: .relaxed)
      return result
    }
  }

  /// Lines that could not be sent, back at the front.
  func putBack(_ piece: ByteBuffer) {
    state.withLock { state in
      state.pieces.insert(piece, at: 0)
      state.bytes += piece.readableBytes
      full.store(state.bytes >= limit, ordering: .relaxed)
    }
  }

  /// Writes to a file until ``stopWriting()``, on the calling thread. A line that the disk does not take is lost.
  func write(to descriptor: Int32) {
    while true {
      waiting.wait()
      guard let piece = take(most: 1 << 20) else {
        // Nothing may also mean that several pieces went at once.
        if stopped.load(ordering: .acquiring) { return }
        continue
      }
      piece.withUnsafeReadableBytes { bytes in
        var offset = 0
        while offset < bytes.count {
          let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
          if count < 0, errno == EINTR { continue }
          guard count > 0 else { return }
          offset += count
        }
      }
    }
  }

  /// What waits is still written.
  func stopWriting() {
    stopped.store(true, ordering: .releasing)
    waiting.signal()
  }
}

/// The access log of one event loop: lines are put together in a buffer of its own, and handed on when that is full or
/// a moment has passed.
final class LoopLog {
  private static let piece = 32 << 10
  private let log: AccessLog
  private var buffer = ByteBuffer()

  init(_ log: AccessLog) { self.log = log }

  func flush() {
    guard buffer.readableBytes > 0 else { return }
    log.append(buffer)
    buffer = ByteBuffer()
  }

  func append(_ exchange: Exchange, app: LoopApp, code: RouterCode?, now: NIODeadline, worker: LoopWorker) {
    guard log.style != .off else { return }
    guard !log.isFull else {
      log.countDropped()
      app.dropped += 1
      return
    }
    if buffer.capacity == 0 { buffer.reserveCapacity(Self.piece + 4096) }
    let wall = worker.clock.wall(now)
    if app.dropped > 0 { confess(app, wall, worker) }
    prefix(app, wall, worker)
    let line = AccessLine(exchange, code: code, now: now)
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: line.bound) { memory in
      var out = ByteWriter(memory)
      line.write(to: &out)
      return out.count
    }
    if buffer.readableBytes >= Self.piece { flush() }
  }

  /// Says how many lines of an app were lost, as soon as there is room.
  func confess(_ apps: [LoopApp?], worker: LoopWorker) {
    guard !log.isFull else { return }
    for app in apps {
      if let app, app.dropped > 0 { confess(app, worker.clock.wall(worker.now), worker) }
    }
  }

  private func confess(_ app: LoopApp, _ wall: Int, _ worker: LoopWorker) {
    prefix(app, wall, worker)
    buffer.writeString("at=error code=L10 desc=\"Log lines dropped\" count=\(app.dropped)\n")
    app.dropped = 0
  }

  private func prefix(_ app: LoopApp, _ wall: Int, _ worker: LoopWorker) {
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 160) { memory in
      var out = ByteWriter(memory)
      if log.style == .wire {
        out.append(app.wireName)
        out.append(0x20)
        out.append(decimal: wall)
        out.append(0x20)
      } else {
        out.append(worker.clock.secondText)
        out.append(UInt8(ascii: "."))
        let micros = wall % 1_000_000
        var divisor = 100_000
        while divisor > micros, divisor > 1 {
          out.append(0x30)
          divisor /= 10
        }
        out.append(decimal: micros)
        out.append("+00:00 ")
        out.append(app.fileName)
        out.append("[router]: ")
      }
      return out.count
    }
  }
}
