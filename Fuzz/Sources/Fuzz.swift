import Glibc

/// `fuzz ENTRY [OPTION…] [CORPUS…]`: libFuzzer with one of the entries; options and corpora are libFuzzer's.
@_cdecl("fuzz_main")
public func fuzz(
  _ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
  guard count > 1, let name = arguments[1], let found = FuzzEntry(rawValue: String(cString: name)) else {
    fputs("usage: fuzz \(FuzzEntry.allCases.map(\.rawValue).joined(separator: "|")) [OPTION…] [CORPUS…]\n", stderr)
    return 2
  }
  entry = found
  // libFuzzer starts itself again with its own arguments, so the entry must not be among those it sees.
  arguments[1] = arguments[0]
  var rest: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = arguments + 1
  var restCount = count - 1
  return runDriver(&restCount, &rest) { data, size in
    entry?.run(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
  }
}

// Set once before libFuzzer starts, which calls from one thread.
private nonisolated(unsafe) var entry: FuzzEntry?

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32
