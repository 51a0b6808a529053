/// A value for every object of a ``PackStore``: packed ones in one dense array, loose ones in another.
struct NumberMap<Value> {
  private var packed: [Value]
  private var loose: [Value] = []
  private let initial: Value

  init(_ initial: Value, for store: PackStore) {
    self.initial = initial
    packed = Array(repeating: initial, count: store.packedCount)
  }

  subscript(number: ObjectNumber) -> Value {
    @inline(__always)
    get {
      let index = Int(number)
      if index < packed.count { return packed[index] }
      let other = index - Int(PackStore.firstLoose)
      return other >= 0 && other < loose.count ? loose[other] : initial
    }
    @inline(__always)
    set {
      let index = Int(number)
      if index < packed.count { packed[index] = newValue } else { grow(number, newValue) }
    }
  }

  /// Packs, and with them numbers, may be added while somebody is served.
  private mutating func grow(_ number: ObjectNumber, _ value: Value) {
    if number >= PackStore.firstLoose {
      let index = Int(number - PackStore.firstLoose)
      while loose.count <= index { loose.append(initial) }
      loose[index] = value
    } else {
      packed.append(contentsOf: repeatElement(initial, count: Int(number) + 1 - packed.count))
      packed[Int(number)] = value
    }
  }

  /// The numbers of loose objects that have a value.
  var looseNumbers: Range<ObjectNumber> {
    PackStore.firstLoose..<(PackStore.firstLoose + ObjectNumber(loose.count))
  }
}
