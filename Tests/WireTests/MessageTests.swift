import FoundationEssentials
import Platform
import Testing
import Wire

@Suite("Messages keep their form on the wire")
struct MessageTests {
  @Test("every kind of receiver work survives JSON")
  func work() throws {
    let update = RefUpdate(
      app: AppID(), build: BuildID(), ref: try RefName("refs/heads/main"), old: .zero,
      new: try CommitID(String(repeating: "a", count: 40)))
    let kinds: [ReceiverWork.Kind] = [
      .keepObjects(push: PushID(), new: update.new), .discardQuarantine(push: PushID()), .applyRefUpdate(update),
      .closeSessions(fingerprint: "SHA256:x"), .removeRepository,
    ]
    let sent = kinds.map { ReceiverWork(id: "1", app: update.app, kind: $0) }
    #expect(try Wire.decode([ReceiverWork].self, from: Wire.encode(sent)) == sent)
  }

  @Test("a hostile name in a message is refused while it is read")
  func hostileName() throws {
    let text = #"{"token":"t","access":"push","app":"../../x"}"#
    #expect(throws: DecodingError.self) { try Wire.decode(RepositoryRequest.self, from: Data(text.utf8)) }
  }

  @Test("fields a newer peer adds are ignored")
  func unknownFields() throws {
    let text = #"{"id":"not_found","message":"m","later":[1,2]}"#
    #expect(try Wire.decode(APIError.self, from: Data(text.utf8)) == APIError(id: "not_found", message: "m"))
  }

  @Test("a config vars patch tells 'remove' from 'leave alone'")
  func patch() throws {
    let patch = try Wire.decode(ConfigVarsPatch.self, from: Data(#"{"A":"x","B":null}"#.utf8))
    #expect(patch.keys.sorted() == ["A", "B"])
    #expect(patch["A"] == .some("x"))
    #expect(patch["B"] == .some(nil))
  }
}
