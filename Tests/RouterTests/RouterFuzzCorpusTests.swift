import Linux
import Testing

/// What the fuzzers start from, and what they have found, through the same functions.
@Suite("Fuzz corpus of the router")
struct RouterFuzzCorpusTests {
  private static let corpus =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    + "/Fuzz/Corpus"

  @Test("no input of the corpus traps, or is read in two ways", arguments: RouterFuzzEntry.allCases)
  func replay(entry: RouterFuzzEntry) async throws {
    let directory = "\(Self.corpus)/\(entry.rawValue)"
    let names = try Files.names(in: directory)
    #expect(names.count > 5)
    let inputs = try names.map { try Files.read("\(directory)/\($0)", limit: 1 << 20) }
    await blocking { for input in inputs { entry.run(input) } }
  }
}
