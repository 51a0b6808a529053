public import Platform

/// The ledger: `paas.db` in the data directory, the only truth of an installation.
public final class Store: Sendable {
  public let installation = InstallationID()

  /// Opens or makes the ledger of a data directory. Throws an ``Explained`` error.
  public init(dataDirectory: String) async throws {}
}
