/// What a pack holds, for the check of connectivity.
struct PackContents {
  /// Sorted.
  private let ids: [ObjectID]
  private let kinds: [ObjectKind]
  /// What its objects refer to, each once.
  let links: LinkSet

  /// `order`: the table's objects by their ids.
  init(_ table: PackTable, order: ReservedArray<Int32>, links: LinkSet) {
    ids = order.elements.map { table.ids[Int($0)] }
    kinds = order.elements.map { ObjectKind(rawValue: table.kinds[Int($0)]) ?? .blob }
    self.links = links
  }

  init() {
    ids = []
    kinds = []
    links = LinkSet()
  }

  var count: Int { ids.count }
  var objects: [(id: ObjectID, kind: ObjectKind)] { Array(zip(ids, kinds)).map { ($0.0, $0.1) } }

  func kind(of id: ObjectID) -> ObjectKind? { ids.place(of: id).map { kinds[$0] } }
}
