/// Blobs whose contents git reads by itself: those named `.gitmodules` or `.gitattributes` in some tree.
struct FsckSpecialBlobs: Sendable {
  private(set) var modules: Set<ObjectID> = []
  private(set) var attributes: Set<ObjectID> = []

  mutating func merge(_ other: FsckSpecialBlobs) {
    modules.formUnion(other.modules)
    attributes.formUnion(other.attributes)
  }

  func check(_ rules: FsckRules, read: (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])?) throws {}
}
