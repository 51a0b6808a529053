import Synchronization

/// Client connections open now, in all and per address, over all event loops. Asked once per connection.
final class ConnectionLimit: Sendable {
  private let most: Int
  private let mostPerAddress: Int
  private let counts = Mutex<[IPAddress: Int]>([:])
  private let total = Atomic<Int>(0)
  private let acceptedTotal = Atomic<Int>(0)

  init(most: Int, perAddress: Int) {
    self.most = most
    mostPerAddress = perAddress
  }

  var open: Int { total.load(ordering: .relaxed) }
  var accepted: Int { acceptedTotal.load(ordering: .relaxed) }

  /// False: one too many. An IPv6 client has a /64, so that is what is counted. `isNew`: it was accepted just now, and
  /// has not only another name.
  func enter(_ address: IPAddress, isNew: Bool = true) -> Bool {
    if isNew { acceptedTotal.add(1, ordering: .relaxed) }
    guard total.add(1, ordering: .relaxed).newValue <= most else {
      total.subtract(1, ordering: .relaxed)
      return false
    }
    let fits = counts.withLock { counts in
      let now = counts[Self.key(address), default: 0]
      guard now < mostPerAddress else { return false }
      counts[Self.key(address)] = now + 1
      return true
    }
    if !fits { total.subtract(1, ordering: .relaxed) }
    return fits
  }

  func leave(_ address: IPAddress) {
    total.subtract(1, ordering: .relaxed)
    counts.withLock { counts in
      let key = Self.key(address)
      guard let now = counts[key] else { return }
      counts[key] = now > 1 ? now - 1 : nil
    }
  }

  private static func key(_ address: IPAddress) -> IPAddress {
    address.isIPv4 ? address : IPAddress(high: address.high, low: 0)
  }
}
