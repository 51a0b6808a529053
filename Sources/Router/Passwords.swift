import Crypto
import FoundationEssentials
import Glibc
import Linux
import NIOCore
import Platform
import Synchronization
import Wire

/// Checks passwords of basic authentication (RFC 7617) on one thread of its own, which gives way to the event loops: the
/// hash is slow on purpose, and neither a loop nor the other apps must wait for somebody who guesses.
final class Passwords: Sendable {
  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var isRunning = false
    /// Of each app among those that wait or run.
    var counts: [AppID: Int] = [:]
    /// What was right lately, as a keyed digest of user, password and the stored hash.
    var known: Set<[UInt8]> = []
  }

  /// Checks that wait at most; more are answered 503, so that guessing does not make work without end.
  static let queue = 64
  /// Of one app, so that who guesses at one keeps nobody out of the others.
  static let queuePerApp = 8
  static let remembered = 4096

  private let state = Mutex(State())
  private let key = SymmetricKey(size: .bits256)

  enum Answer: Sendable {
    case right, wrong, busy
  }

  /// What was found right before needs no slow hash again.
  func isKnown(_ credentials: Credentials, _ users: [BasicUser]) -> Bool {
    guard let user = users.first(where: { $0.name == credentials.name }) else { return false }
    let digest = digest(credentials, user)
    return state.withLock { $0.known.contains(digest) }
  }

  /// Answers on the event loop.
  func check(
    _ credentials: Credentials, _ users: [BasicUser], of app: AppID, on loop: any EventLoop,
    _ done: @escaping @Sendable (Answer) -> Void
  ) {
    let work: @Sendable () -> Void = { [self] in
      let isRight = Self.isRight(credentials, users)
      if isRight, let user = users.first(where: { $0.name == credentials.name }) {
        remember(digest(credentials, user))
      }
      state.withLock { $0.counts[app] = ($0.counts[app] ?? 1) > 1 ? ($0.counts[app] ?? 1) - 1 : nil }
      loop.execute { done(isRight ? .right : .wrong) }
    }
    let (isAccepted, starts) = state.withLock { state in
      guard state.waiting.count < Self.queue, state.counts[app, default: 0] < Self.queuePerApp else {
        return (false, false)
      }
      state.counts[app, default: 0] += 1
      state.waiting.append(work)
      defer { state.isRunning = true }
      return (true, !state.isRunning)
    }
    if !isAccepted { return done(.busy) }
    if starts { startThread { [self] in run() } }
  }

  /// Until nothing waits.
  private func run() {
    // Of this thread alone: Linux takes a thread for a process here (setpriority(2)).
    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    while true {
      let work = state.withLock { state -> (@Sendable () -> Void)? in
        if state.waiting.isEmpty {
          state.isRunning = false
          return nil
        }
        return state.waiting.removeFirst()
      }
      guard let work else { return }
      work()
    }
  }

  private func remember(_ digest: [UInt8]) {
    state.withLock { state in
      if state.known.count >= Self.remembered { state.known.removeAll() }
      state.known.insert(digest)
    }
  }

  private func digest(_ credentials: Credentials, _ user: BasicUser) -> [UInt8] {
    let text = [credentials.name, credentials.password, user.salt, user.hash].joined(separator: "\u{0}")
    return Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
  }

  /// One hash for any name, so that time does not tell which names exist.
  private static func isRight(_ credentials: Credentials, _ users: [BasicUser]) -> Bool {
    let user = users.first { $0.name == credentials.name }
    let model = user ?? users.first
    guard let model, let salt = bytes(model.salt), let wanted = bytes(model.hash), wanted.count == 32,
      (1...10_000_000).contains(model.rounds)
    else { return false }
    let made = PBKDF2.derive(Array(credentials.password.utf8), salt: salt, rounds: model.rounds)
    var difference: UInt8 = 0
    for (left, right) in zip(made, wanted) { difference |= left ^ right }
    return user != nil && difference == 0 && made.count == wanted.count
  }

  private static func bytes(_ hexadecimal: String) -> [UInt8]? {
    let digits = Array(hexadecimal.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}

/// A name and a password as a client sent them.
struct Credentials: Sendable, Equatable {
  let name: String
  let password: String

  /// From the value of `Authorization`; `nil` for anything but well-formed basic credentials.
  init?(authorization: String) {
    let words = authorization.split(separator: " ", maxSplits: 1)
    guard words.count == 2, words[0].lowercased() == "basic", authorization.utf8.count < 2048,
      let data = Data(base64Encoded: String(words[1].drop { $0 == " " }))
    else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    guard let colon = text.firstIndex(of: ":") else { return nil }
    name = String(text[..<colon])
    password = String(text[text.index(after: colon)...])
  }
}

/// PBKDF2 with HMAC-SHA256, one block (RFC 8018 section 5.2).
enum PBKDF2 {
  static func derive(_ password: [UInt8], salt: [UInt8], rounds: Int) -> [UInt8] {
    let key = SymmetricKey(data: password)
    var block = Array(HMAC<SHA256>.authenticationCode(for: Data(salt + [0, 0, 0, 1]), using: key))
    var result = block
    for _ in 1..<max(rounds, 2) where rounds > 1 {
      block = Array(HMAC<SHA256>.authenticationCode(for: Data(block), using: key))
      for index in result.indices { result[index] ^= block[index] }
    }
    return result
  }
}
