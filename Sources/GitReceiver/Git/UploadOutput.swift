import Glibc

/// The way back to a client that fetches: packet lines, and the pack, with side bands if it knows them
/// (gitprotocol-pack(5), "Packfile Data").
final class UploadOutput {
  /// How many bytes a packet of the pack may have, its length included.
  enum Bands: Int, Equatable {
    /// The pack comes bare, and there is nothing but the pack.
    case none = 0
    case small = 1000
    case large = 65520
  }

  private let transport: any GitTransport
  var bands = Bands.none
  private var lastSent = ContinuousClock.now
  private var pending: [UInt8] = []

  init(_ transport: any GitTransport) { self.transport = transport }

  /// Packets are collected until ``flush()``, so that an advertisement of thousands of refs is a few writes.
  func packet(_ text: String) throws { try packet(Array(text.utf8)) }

  func packet(_ bytes: [UInt8]) throws {
    pending += PktLine.encode(bytes)
    if pending.count > 32 << 10 { try flush() }
  }

  func flushPacket() throws {
    pending += PktLine.flushBytes
    try flush()
  }

  func delimiter() { pending += Array("0001".utf8) }

  func flush() throws {
    guard !pending.isEmpty else { return }
    try send(pending)
    pending.removeAll(keepingCapacity: true)
  }

  // MARK: While a pack is made

  /// Text for the person who fetches; nothing without side bands.
  func progress(_ text: String) throws {
    guard bands != .none else { return }
    try band(2, Array(text.utf8))
  }

  /// The end, and why.
  func failure(_ text: String) throws {
    guard bands != .none else { return }
    try band(3, Array(text.utf8))
  }

  private func band(_ number: UInt8, _ bytes: [UInt8]) throws {
    var rest = bytes[...]
    repeat {
      let piece = rest.prefix(bands.rawValue - PktLine.headerLength - 1)
      try send(PktLine.encode([number] + piece))
      rest = rest.dropFirst(piece.count)
    } while !rest.isEmpty
  }

  /// After five seconds of silence an empty packet says that we live.
  func keepAlive() throws {
    guard bands != .none, ContinuousClock.now - lastSent > .seconds(5) else { return }
    try band(1, [])
  }

  /// Where the pack goes.
  func sink() -> PackSink {
    let header = bands == .none ? 0 : PktLine.headerLength + 1
    let payload = bands == .none ? 64 << 10 : bands.rawValue - header
    return PackSink(payload: payload, headroom: header) { [self] block in
      if header > 0 {
        for index in 0..<4 {
          let digit = UInt8(truncatingIfNeeded: block.count >> (12 - 4 * index)) & 0x0F
          block[index] = digit < 10 ? 48 + digit : 87 + digit
        }
        block[4] = 1
      }
      try transport.write(UnsafeRawBufferPointer(block))
      lastSent = .now
    }
  }

  private func send(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try transport.write($0) }
    lastSent = .now
  }
}
