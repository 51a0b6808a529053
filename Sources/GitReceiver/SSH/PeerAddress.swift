import Glibc

/// Where a connection comes from.
struct PeerAddress: Equatable {
  /// As a person reads it.
  let description: String
  /// What counts as one source: an IPv4 address, or an IPv6 /64, which one customer has as a whole.
  let source: String

  /// The other end of a connected socket.
  init(of socket: Int32) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let bytes = withUnsafeMutablePointer(to: &storage) { pointer in
      let result = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(socket, $0, &length) }
      return result == 0 ? Array(UnsafeRawBufferPointer(start: pointer, count: Int(length))) : []
    }
    self.init(family: Int32(storage.ss_family), address: bytes)
  }

  /// `address` is the raw `sockaddr_in` or `sockaddr_in6`.
  init(family: Int32, address bytes: [UInt8]) {
    if family == AF_INET, bytes.count >= 8 {
      self.init(v4: bytes[4..<8])
    } else if family == AF_INET6, bytes.count >= 24 {
      let v6 = Array(bytes[8..<24])
      if v6[0..<10].allSatisfy({ $0 == 0 }), v6[10] == 0xFF, v6[11] == 0xFF {
        self.init(v4: v6[12..<16])
      } else {
        let groups = stride(from: 0, to: 16, by: 2).map { String(Int(v6[$0]) << 8 | Int(v6[$0 + 1]), radix: 16) }
        self.init(groups.joined(separator: ":"), source: groups[..<4].joined(separator: ":") + "::/64")
      }
    } else {
      self.init("unknown", source: "unknown")
    }
  }

  private init(v4: ArraySlice<UInt8>) {
    let text = v4.map { String($0) }.joined(separator: ".")
    self.init(text, source: text)
  }

  private init(_ description: String, source: String) {
    self.description = description
    self.source = source
  }
}
