/// Writes a head into memory whose size was reckoned before. What does not fit is not written, and ``overflowed`` says
/// so: the caller then refuses the message.
struct ByteWriter: ~Copyable {
  private let memory: UnsafeMutableRawBufferPointer
  private(set) var count = 0
  private(set) var overflowed = false

  init(_ memory: UnsafeMutableRawBufferPointer) { unsafe self.memory = memory }

  /// A piece of another message.
  @inline(__always)
  mutating func append(_ bytes: RawSpan, _ range: ByteRange) {
    guard range.start >= 0, range.start <= range.end, range.end <= bytes.byteCount,
      unsafe range.count <= memory.count &- count
    else { return overflowed = true }
    let start = count
    unsafe bytes.withUnsafeBytes { source in
      guard let from = source.baseAddress, let to = memory.baseAddress else { return }
      unsafe (to + start).copyMemory(from: from + range.start, byteCount: range.count)
    }
    count &+= range.count
  }

  @inline(__always)
  mutating func append(_ bytes: [UInt8]) { append(bytes.span.bytes, ByteRange(start: 0, end: bytes.count)) }

  @inline(__always)
  mutating func append(_ text: StaticString) {
    let length = text.utf8CodeUnitCount
    guard unsafe length <= memory.count &- count, let base = unsafe memory.baseAddress else { return overflowed = true }
    unsafe (base + count).copyMemory(from: text.utf8Start, byteCount: length)
    count &+= length
  }

  @inline(__always)
  mutating func append(_ byte: UInt8) {
    guard unsafe count < memory.count else { return overflowed = true }
    unsafe memory[count] = byte
    count &+= 1
  }

  mutating func append(text: String) {
    for byte in text.utf8 { append(byte) }
  }

  /// In decimal; negative numbers as 0.
  mutating func append(decimal number: Int) {
    var value = max(number, 0)
    var divisor = 1
    while value / divisor >= 10 { divisor &*= 10 }
    while divisor > 0 {
      append(0x30 &+ UInt8(truncatingIfNeeded: value / divisor))
      value %= divisor
      divisor /= 10
    }
  }

  /// 16 digits, lower case.
  mutating func append(hexadecimal number: UInt64, digits: Int = 16) {
    var shift = UInt64(digits &* 4)
    while shift > 0 {
      shift &-= 4
      let digit = UInt8(truncatingIfNeeded: (number &>> shift) & 15)
      append(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
    }
  }
}
