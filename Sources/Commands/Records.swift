import ArgumentParser
import Client
import Glibc
import Wire

/// Streams of records on the terminal.
enum Records {
  /// Writes a stream's `stdout` and `stderr` where they belong until it ends; throws the exit record's status as an
  /// `ExitCode` unless it is 0, and ``ClientError/connectionLost(_:)`` without an exit record. `counted` is told the
  /// length of each stored record, for the next offset.
  static func printed(
    _ request: ClientRequest, _ client: PaasClient, counted: (Int) -> Void = { _ in }
  ) async throws {
    for try await record in try await client.stream(request).records {
      switch record.kind {
      case .stdout: try Console.write(stream: record.payload, to: STDOUT_FILENO)
      case .stderr, .progress: try Console.write(stream: record.payload, to: STDERR_FILENO)
      case .exit:
        guard let status = record.exitStatus else { throw ClientError.connectionLost(client.address) }
        if status != 0 { throw ExitCode(status) }
        return
      case .keepAlive, .resize, .signal, .stdin, .stdinClosed: break
      }
      if record.kind != .keepAlive { counted(StreamRecord.headerLength + record.payload.count) }
    }
    throw ClientError.connectionLost(client.address)
  }
}
