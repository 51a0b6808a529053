import GRDB

/// The ledger's tables. Ids are UUIDv7 texts, times UTC microseconds, lists and maps JSON. A migration that has been
/// released is never edited.
enum Schema {
  /// `PAAS` in `application_id` (file(1), sqlite.org/fileformat2.html section 1.3.21).
  static let applicationID: Int32 = 0x5041_4153

  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1 first light") { database in
      for statement in installation + apps + releases + builds + changes { try database.execute(sql: statement) }
    }
    migrator.registerMigration("2 router") { database in
      for statement in routes { try database.execute(sql: statement) }
    }
    return migrator
  }

  private static let installation = [
    """
    CREATE TABLE installation (
      id TEXT PRIMARY KEY, next_uid_index INTEGER NOT NULL, minimum_reader INTEGER NOT NULL, created_at INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE accounts (
      id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, is_admin INTEGER NOT NULL, created_at INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE keys (
      id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts(id), fingerprint TEXT NOT NULL UNIQUE,
      public_key TEXT NOT NULL, comment TEXT NOT NULL, created_at INTEGER NOT NULL
    ) STRICT
    """,
    // Only a hash of an API token is kept.
    """
    CREATE TABLE tokens (
      id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts(id), hash TEXT NOT NULL UNIQUE,
      description TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER
    ) STRICT
    """,
  ]

  private static let apps = [
    // A destroyed app keeps its row, without its name, until everything of it is removed.
    """
    CREATE TABLE apps (
      id TEXT PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL REFERENCES accounts(id),
      uid_index INTEGER NOT NULL UNIQUE, deploy_branch TEXT, tip TEXT, current_release TEXT REFERENCES releases(id),
      created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, released_at INTEGER, deleted_at INTEGER
    ) STRICT
    """,
    "CREATE UNIQUE INDEX apps_name ON apps(name) WHERE deleted_at IS NULL",
    // `launch` is the launch that runs this type now.
    """
    CREATE TABLE formations (
      app TEXT NOT NULL REFERENCES apps(id), type TEXT NOT NULL, quantity INTEGER NOT NULL CHECK (quantity >= 0),
      launch TEXT, PRIMARY KEY (app, type)
    ) STRICT
    """,
    // A value is sealed once and named by every release that has it.
    """
    CREATE TABLE config_values (
      id INTEGER PRIMARY KEY, app TEXT NOT NULL REFERENCES apps(id), name TEXT NOT NULL, key_id TEXT NOT NULL,
      nonce BLOB NOT NULL, ciphertext BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX config_values_app ON config_values(app)",
  ]

  private static let releases = [
    """
    CREATE TABLE slugs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT
    """,
    """
    CREATE TABLE releases (
      id TEXT PRIMARY KEY, app TEXT NOT NULL REFERENCES apps(id), version INTEGER NOT NULL, kind TEXT NOT NULL,
      description TEXT NOT NULL, status TEXT NOT NULL, failure TEXT, slug TEXT REFERENCES slugs(digest), stack TEXT,
      stack_digest TEXT, commit_id TEXT, process_types TEXT NOT NULL, account TEXT NOT NULL REFERENCES accounts(id),
      build TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, UNIQUE (app, version)
    ) STRICT
    """,
    """
    CREATE TABLE release_config (
      release TEXT NOT NULL REFERENCES releases(id), value INTEGER NOT NULL REFERENCES config_values(id),
      PRIMARY KEY (release, value)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TRIGGER releases_immutable BEFORE UPDATE OF id, app, version, kind, description, slug, stack, stack_digest,
      commit_id, process_types, account, build, created_at ON releases
    BEGIN SELECT RAISE(ABORT, 'releases are immutable'); END
    """,
    """
    CREATE TRIGGER releases_end_once BEFORE UPDATE OF status ON releases WHEN OLD.status <> 'pending'
    BEGIN SELECT RAISE(ABORT, 'a release ends once'); END
    """,
    """
    CREATE TRIGGER config_values_immutable BEFORE UPDATE ON config_values
    BEGIN SELECT RAISE(ABORT, 'config values are immutable'); END
    """,
  ]

  private static let builds = [
    """
    CREATE TABLE builds (
      id TEXT PRIMARY KEY, app TEXT NOT NULL REFERENCES apps(id), status TEXT NOT NULL,
      account TEXT NOT NULL REFERENCES accounts(id), push TEXT, ref TEXT, old TEXT, new TEXT, subject TEXT,
      base_version INTEGER NOT NULL, superseded_by TEXT, buildpack TEXT, slug TEXT REFERENCES slugs(digest),
      release TEXT REFERENCES releases(id), failure_code TEXT, failure TEXT,
      created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX builds_app ON builds(app)",
    """
    CREATE TABLE ref_updates (
      build TEXT PRIMARY KEY REFERENCES builds(id), app TEXT NOT NULL REFERENCES apps(id), ref TEXT NOT NULL,
      old TEXT NOT NULL, new TEXT NOT NULL, state TEXT NOT NULL, reason TEXT,
      created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
    ) STRICT
    """,
  ]

  private static let changes = [
    // What has been begun and must be ended, one way or the other, by whoever comes next.
    """
    CREATE TABLE intents (
      id TEXT PRIMARY KEY, kind TEXT NOT NULL, app TEXT NOT NULL REFERENCES apps(id), launch TEXT,
      created_at INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE failures (
      id INTEGER PRIMARY KEY, app TEXT NOT NULL REFERENCES apps(id), phase TEXT NOT NULL, code TEXT NOT NULL,
      message TEXT NOT NULL, created_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX failures_app ON failures(app)",
  ]

  private static let routes = [
    // An empty prefix is the whole host.
    """
    CREATE TABLE domains (
      id TEXT PRIMARY KEY, app TEXT NOT NULL REFERENCES apps(id), host TEXT NOT NULL, prefix TEXT NOT NULL,
      strips INTEGER NOT NULL, account TEXT NOT NULL REFERENCES accounts(id), created_at INTEGER NOT NULL,
      UNIQUE (host, prefix)
    ) STRICT
    """,
    "CREATE INDEX domains_app ON domains(app)",
    """
    CREATE TABLE route_settings (
      app TEXT PRIMARY KEY REFERENCES apps(id), maintenance INTEGER NOT NULL, settings TEXT NOT NULL,
      updated_at INTEGER NOT NULL
    ) STRICT
    """,
  ]
}
