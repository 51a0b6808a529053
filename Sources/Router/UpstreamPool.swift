import NIOCore

/// Connections of one event loop to instances that wait for their next request.
final class UpstreamPool {
  private var idle: [ObjectIdentifier: [UpstreamConnection]] = [:]
  private let idleLimit: TimeAmount
  private let most: Int

  init(idleLimit: Duration, most: Int) {
    self.idleLimit = TimeAmount(idleLimit)
    self.most = most
  }

  /// The one used last, which is the least likely to be closed by the instance now.
  func take(_ backend: Backend) -> UpstreamConnection? {
    let key = ObjectIdentifier(backend)
    while let connection = idle[key]?.popLast() {
      if connection.isActive { return connection }
    }
    return nil
  }

  func giveBack(_ connection: UpstreamConnection) {
    let key = ObjectIdentifier(connection.backend)
    guard connection.isActive, !connection.backend.isRetired, idle[key, default: []].count < most else {
      return connection.close()
    }
    connection.rest()
    idle[key, default: []].append(connection)
  }

  func forget(_ connection: UpstreamConnection) {
    let key = ObjectIdentifier(connection.backend)
    idle[key]?.removeAll { $0 === connection }
    if idle[key]?.isEmpty == true { idle[key] = nil }
  }

  func closeRetired() { close { $0.backend.isRetired } }
  func closeAll() { close { _ in true } }

  func sweep() {
    let limit = NIODeadline.now() - idleLimit
    close { $0.idleSince < limit }
  }

  private func close(where isDue: (UpstreamConnection) -> Bool) {
    for connection in idle.values.flatMap({ $0 }) where isDue(connection) {
      forget(connection)
      connection.close()
    }
  }
}
