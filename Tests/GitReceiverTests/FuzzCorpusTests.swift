import Linux
import Testing

@testable import GitReceiver

/// What the fuzzers start from, and what they have found, through the same functions.
@Suite("Fuzz corpus")
struct FuzzCorpusTests {
  private static let corpus =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    + "/Fuzz/Corpus"

  @Test("no input of the corpus traps or hangs", arguments: FuzzEntry.allCases)
  func replay(entry: FuzzEntry) async throws {
    let directory = "\(Self.corpus)/\(entry.rawValue)"
    let names = try Files.names(in: directory)
    #expect(names.count > 5)
    let inputs = try names.map { try Files.read("\(directory)/\($0)", limit: 1 << 20) }
    let cost = await blocking { processorTime { for input in inputs { entry.run(input) } } }
    #expect(cost < .seconds(120))
  }
}
