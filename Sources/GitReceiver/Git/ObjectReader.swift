import CDeflate

/// Reads single objects of a pack that is resolved, and of the repository: for the few that are looked at once more.
/// What is made again counts against the pack's limits.
struct ObjectReader {
  private let resolver: PackResolver
  private let order: ReservedArray<Int32>
  /// Those outside the pack, in the order of the resolver.
  private let bases: [ObjectID]
  private let external: ReadExternal
  private var table: PackTable { resolver.table }

  init(
    _ resolver: PackResolver, order: ReservedArray<Int32>, bases: [ObjectID], external: @escaping ReadExternal
  ) {
    self.resolver = resolver
    self.order = order
    self.bases = bases
    self.external = external
  }

  /// `nil`: it is nowhere.
  func object(_ id: ObjectID) throws -> ReadObject? {
    guard let index = index(of: id) else { return try outside(id) }
    guard let kind = ObjectKind(rawValue: table.kinds[index]) else { throw lost(id) }
    var chain: [Int] = []
    var root = index
    while table.bases[root] >= 0 {
      chain.append(root)
      root = Int(table.bases[root])
    }
    var data: [UInt8]
    if table.bases[root] == PackTable.none {
      data = try stored(root)
    } else {
      // The chain begins outside the pack.
      let place = -3 - Int(table.bases[root])
      guard bases.indices.contains(place), let base = try outside(bases[place]) else { throw lost(id) }
      chain.append(root)
      data = base.data
    }
    try resolver.spendAgain(data.count)
    for delta in chain.reversed() { data = try apply(delta, to: data) }
    return (kind, data)
  }

  /// Kind and size, without making the object; `nil`: it is nowhere.
  func header(_ id: ObjectID) throws -> (kind: ObjectKind, size: Int)? {
    guard let index = index(of: id) else {
      var found: (ObjectKind, Int)?
      _ = try external(id) { found = ($0, $1.count) }
      return found
    }
    guard let kind = ObjectKind(rawValue: table.kinds[index]) else { throw lost(id) }
    guard table.bases[index] != PackTable.none else { return (kind, Int(table.sizes[index])) }
    let size = try stored(index).withUnsafeBytes { try Delta.resultSize($0) }
    return (kind, Int(clamping: size))
  }

  private func lost(_ id: ObjectID) -> GitError { GitError(.internalError, "cannot read object \(id) of the pack") }

  private func outside(_ id: ObjectID) throws -> ReadObject? {
    var found: ReadObject?
    _ = try external(id) { found = ($0, Array($1)) }
    return found
  }

  private func apply(_ delta: Int, to base: [UInt8]) throws -> [UInt8] {
    try stored(delta).withUnsafeBytes { delta in
      let size = try Delta.resultSize(delta)
      try resolver.limits.checkObject(size)
      try resolver.spendAgain(Int(size))
      return try [UInt8](unsafeUninitializedCapacity: Int(size)) { output, count in
        let result = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(output)[0..<Int(size)])
        try base.withUnsafeBytes { try Delta.apply(delta, to: $0, into: result) }
        count = Int(size)
      }
    }
  }

  private func index(of id: ObjectID) -> Int? {
    let place = firstPlace(in: order.elements.count) { table.ids[Int(order[$0])] >= id }
    guard place < order.elements.count else { return nil }
    let index = Int(order[place])
    return table.ids[index] == id ? index : nil
  }

  private func stored(_ index: Int) throws -> [UInt8] {
    guard let input = resolver.pack.bytes(table.stored(index)), let decompressor = libdeflate_alloc_decompressor()
    else {
      throw GitError(.internalError, "cannot read the quarantined pack")
    }
    defer { libdeflate_free_decompressor(decompressor) }
    let size = Int(table.sizes[index])
    return try [UInt8](unsafeUninitializedCapacity: size) { output, count in
      let result = libdeflate_zlib_decompress(
        decompressor, input.baseAddress, input.count, output.baseAddress, size, &count)
      guard result == LIBDEFLATE_SUCCESS, count == size else {
        throw GitError(.internalError, "the quarantined pack changed under our hands")
      }
    }
  }
}
