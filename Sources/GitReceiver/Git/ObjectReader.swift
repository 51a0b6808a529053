import CDeflate

/// Reads single objects of a pack that is resolved, and of the repository: for the few that are looked at once more.
struct ObjectReader {
  private let table: PackTable
  private let pack: MappedPack
  private let order: ReservedArray<Int32>
  private let limits: PackLimits
  private let external: (ObjectID) throws -> ReadObject?

  init(
    _ table: PackTable, pack: MappedPack, order: ReservedArray<Int32>, limits: PackLimits,
    external: @escaping (ObjectID) throws -> ReadObject?
  ) {
    self.table = table
    self.pack = pack
    self.order = order
    self.limits = limits
    self.external = external
  }

  /// `nil`: it is nowhere.
  func object(_ id: ObjectID) throws -> ReadObject? {
    guard let index = index(of: id) else { return try external(id) }
    guard let kind = ObjectKind(rawValue: table.kinds[index]) else { return nil }
    var chain: [Int] = []
    var root = index
    while table.bases[root] >= 0 {
      chain.append(root)
      root = Int(table.bases[root])
    }
    // A chain that begins outside the pack: rare enough to be read through the whole base's id.
    guard table.bases[root] == PackTable.none else { return try external(id) }
    var data = try stored(root)
    for delta in chain.reversed() {
      let delta = try stored(delta)
      data = try delta.withUnsafeBytes { delta in
        let size = try Delta.resultSize(delta)
        try limits.checkObject(size)
        return try [UInt8](unsafeUninitializedCapacity: Int(size)) { output, count in
          try data.withUnsafeBytes {
            try Delta.apply(
              delta, to: $0,
              into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(output)[0..<Int(size)]))
          }
          count = Int(size)
        }
      }
    }
    return (kind, data)
  }

  private func index(of id: ObjectID) -> Int? {
    var low = 0
    var high = order.elements.count
    while low < high {
      let middle = (low + high) / 2
      if table.ids[Int(order[middle])] < id { low = middle + 1 } else { high = middle }
    }
    guard low < order.elements.count else { return nil }
    let index = Int(order[low])
    return table.ids[index] == id ? index : nil
  }

  private func stored(_ index: Int) throws -> [UInt8] {
    guard let input = pack.bytes(table.stored(index)), let decompressor = libdeflate_alloc_decompressor() else {
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
