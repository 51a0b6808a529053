import FoundationEssentials
import Glibc
import Linux
import Platform

/// Data goes to standard output, progress and notes to standard error.
enum Console {
  /// Data, as it is. What a closed pipe no longer takes is dropped.
  static func out(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }

  /// Progress and notes.
  static func note(_ text: String) { write(Array(text.utf8), to: STDERR_FILENO) }

  /// ` !     what, which` and ` !     next step`
  static func error(_ error: any Explained) {
    let lines = (error.message + (error.nextStep.map { "\n\($0)" } ?? "")).split(separator: "\n")
    note(lines.map { PushText.error(String($0)) }.joined())
  }

  /// For `--json`: indented, with sorted keys.
  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    out(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
  }

  /// `Restarting hello... done`: the first part at once, the rest when the work is done.
  static func progress<Value: Sendable>(
    _ action: String, _ work: () async throws -> Value, done: (Value) -> String = { _ in "done" }
  ) async throws -> Value {
    note(action + "... ")
    do {
      let value = try await work()
      note(done(value) + "\n")
      return value
    } catch {
      note("failed\n")
      throw error
    }
  }

  static var hasTerminal: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

  /// Bytes to standard output (1) or error (2); throws ``ClosedOutput`` when nobody reads them.
  static func write(stream bytes: [UInt8], to descriptor: Int32) throws {
    do throws(SystemError) {
      try Files.writeAll(bytes, to: descriptor, name: "output")
    } catch {
      throw ClosedOutput()
    }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    do throws(SystemError) { try Files.writeAll(bytes, to: descriptor, name: "output") } catch {}
  }
}

/// Whoever read our output has gone: there is nothing to say and nobody to say it to.
struct ClosedOutput: Error {}
