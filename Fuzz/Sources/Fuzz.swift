import Glibc

/// `fuzz ENTRY [OPTION…] [CORPUS…]`: libFuzzer with one of the entries; options and corpora are libFuzzer's.
@_cdecl("fuzz_main")
public func fuzz(
  _ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
  guard count > 1, let name = arguments[1], let found = entry(named: String(cString: name)) else {
    let names = FuzzEntry.allCases.map(\.rawValue) + RouterFuzzEntry.allCases.map(\.rawValue)
    let usage = "usage: fuzz \(names.joined(separator: "|")) [OPTION…] [CORPUS…]\n"
    _ = usage.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    return 2
  }
  run = found
  // libFuzzer starts itself again with its own arguments, so the entry must not be among those it sees.
  arguments[1] = arguments[0]
  var rest: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = arguments + 1
  var restCount = count - 1
  return runDriver(&restCount, &rest, fuzzOne)
}

/// libFuzzer's own `main`, which is linked and not used, asks for it by this name.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  run?(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}

// Set once before libFuzzer starts, which calls from one thread.
private nonisolated(unsafe) var run: (([UInt8]) -> Void)?

/// Of the receiver or of the router.
private func entry(named name: String) -> (([UInt8]) -> Void)? {
  if let entry = FuzzEntry(rawValue: name) { return entry.run }
  return RouterFuzzEntry(rawValue: name)?.run
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32
