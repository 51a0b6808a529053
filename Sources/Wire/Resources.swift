public import Platform

/// Resources of the HTTP API in the shapes of Heroku's Platform API v3, with our additions. Field names are the JSON's.
/// Times are RFC 3339.

/// The body of every answer that is not 2xx (Heroku: "Error Responses"), with the next step as an extra.
public struct APIError: Codable, Sendable, Error, Explained, Equatable {
  /// `not_found`, `forbidden`, `invalid_params`, `conflict`, `locked`, `unauthorized`, `internal_server_error`, …
  public var id: String
  public var message: String
  public var next: String?

  public init(id: String, message: String, next: String? = nil) {
    self.id = id
    self.message = message
    self.next = next
  }

  public var nextStep: String? { next }
}

public struct NamedReference: Codable, Sendable, Equatable {
  public var id: String
  public var name: String

  public init(id: String, name: String) {
    self.id = id
    self.name = name
  }
}

public struct AccountReference: Codable, Sendable, Equatable {
  public var id: String
  public var email: String

  public init(id: String, email: String) {
    self.id = id
    self.email = email
  }
}

/// `GET /apps`, `POST /apps`, `GET /apps/APP`, `DELETE /apps/APP`.
public struct AppResource: Codable, Sendable, Equatable {
  public var id: String
  public var name: String
  public var owner: AccountReference
  /// `ssh://paas@HOST:2222/NAME.git`
  public var git_url: String
  /// `http://NAME.localhost:8080/`
  public var web_url: String
  public var stack: NamedReference
  public var created_at: String
  public var updated_at: String
  public var released_at: String?
  /// `PATCH /apps/APP` changes it.
  public var maintenance: Bool?

  public init(
    id: String, name: String, owner: AccountReference, git_url: String, web_url: String, stack: NamedReference,
    created_at: String, updated_at: String, released_at: String?, maintenance: Bool? = nil
  ) {
    self.id = id
    self.name = name
    self.owner = owner
    self.git_url = git_url
    self.web_url = web_url
    self.stack = stack
    self.created_at = created_at
    self.updated_at = updated_at
    self.released_at = released_at
    self.maintenance = maintenance
  }
}

/// Body of `POST /apps`; without a name one is made up.
public struct AppCreate: Codable, Sendable {
  public var name: String?
  public init(name: String?) { self.name = name }
}

/// `GET /apps/APP/releases[/VERSION]`, `POST /apps/APP/releases` (rollback).
public struct ReleaseResource: Codable, Sendable, Equatable {
  public struct SlugReference: Codable, Sendable, Equatable {
    /// The SHA-256 of the slug's bytes on disk.
    public var id: String
    public var size: Int64
    public init(id: String, size: Int64) {
      self.id = id
      self.size = size
    }
  }

  public var id: String
  public var app: NamedReference
  public var version: Int
  /// `Deploy ad7c527e`, `Set FOO config vars`, `Rollback to v3`.
  public var description: String
  /// `succeeded`, `failed`, `pending`.
  public var status: String
  public var current: Bool
  public var user: AccountReference
  public var slug: SlugReference?
  public var commit: String?
  public var stack: String?
  public var process_types: [String: String]
  /// Why it failed, in one line with its code.
  public var failure: String?
  public var created_at: String
  public var updated_at: String

  public init(
    id: String, app: NamedReference, version: Int, description: String, status: String, current: Bool,
    user: AccountReference, slug: SlugReference?, commit: String?, stack: String?, process_types: [String: String],
    failure: String?, created_at: String, updated_at: String
  ) {
    self.id = id
    self.app = app
    self.version = version
    self.description = description
    self.status = status
    self.current = current
    self.user = user
    self.slug = slug
    self.commit = commit
    self.stack = stack
    self.process_types = process_types
    self.failure = failure
    self.created_at = created_at
    self.updated_at = updated_at
  }
}

/// Body of `POST /apps/APP/releases`: roll back to this version (`v3`, `3`, or a release id);
/// without one, to the last successful release before the current one that has another slug or config.
public struct RollbackRequest: Codable, Sendable {
  public var release: String?
  public init(release: String?) { self.release = release }
}

/// `POST/GET /apps/APP/builds[/ID]`.
public struct BuildResource: Codable, Sendable, Equatable {
  public var id: String
  public var app: NamedReference
  /// `pending`, `succeeded`, `failed`.
  public var status: String
  public var user: AccountReference
  public var source_blob: SourceBlob
  public var output_stream_url: String
  public var release: NamedReference?
  public var slug: ReleaseResource.SlugReference?
  public var buildpacks: [String]
  public var failure: String?
  public var created_at: String
  public var updated_at: String

  public struct SourceBlob: Codable, Sendable, Equatable {
    public var version: String?
    public var version_description: String?
    public init(version: String?, version_description: String?) {
      self.version = version
      self.version_description = version_description
    }
  }

  public init(
    id: String, app: NamedReference, status: String, user: AccountReference, source_blob: SourceBlob,
    output_stream_url: String, release: NamedReference?, slug: ReleaseResource.SlugReference?, buildpacks: [String],
    failure: String?, created_at: String, updated_at: String
  ) {
    self.id = id
    self.app = app
    self.status = status
    self.user = user
    self.source_blob = source_blob
    self.output_stream_url = output_stream_url
    self.release = release
    self.slug = slug
    self.buildpacks = buildpacks
    self.failure = failure
    self.created_at = created_at
    self.updated_at = updated_at
  }
}

/// `GET /apps/APP/formation`, `PATCH /apps/APP/formation`.
public struct FormationResource: Codable, Sendable, Equatable {
  public var type: String
  public var quantity: Int
  public var command: String
  public init(type: String, quantity: Int, command: String) {
    self.type = type
    self.quantity = quantity
    self.command = command
  }
}

/// Body of `PATCH /apps/APP/formation`.
public struct FormationUpdate: Codable, Sendable {
  public struct Change: Codable, Sendable {
    public var type: String
    /// Absolute, or relative when `relative` is true (`worker+1`).
    public var quantity: Int
    public var relative: Bool?
    public init(type: String, quantity: Int, relative: Bool?) {
      self.type = type
      self.quantity = quantity
      self.relative = relative
    }
  }
  public var updates: [Change]
  public init(updates: [Change]) { self.updates = updates }
}

/// `GET /apps/APP/dynos`, `DELETE /apps/APP/dynos` (restart all), `DELETE /apps/APP/dynos/web[.1]`.
public struct DynoResource: Codable, Sendable, Equatable {
  public var id: String
  public var name: String
  public var type: String
  public var command: String
  /// `starting`, `up`, `stopping`, `crashed`, `lost`.
  public var state: String
  public var release: NamedReference
  /// PID 1 of the instance, in the host's numbering. Only for admins.
  public var pid: Int32?
  public var created_at: String
  /// Since when it is in this state.
  public var updated_at: String

  public init(
    id: String, name: String, type: String, command: String, state: String, release: NamedReference, pid: Int32?,
    created_at: String, updated_at: String
  ) {
    self.id = id
    self.name = name
    self.type = type
    self.command = command
    self.state = state
    self.release = release
    self.pid = pid
    self.created_at = created_at
    self.updated_at = updated_at
  }
}

/// First record of the request body of `POST /apps/APP/run` is a `stdout` record that holds this as JSON; then come
/// `stdin`, `resize`, `signal`, `stdinClosed` records. The response is a stream of records that ends with `exit`.
public struct RunRequest: Codable, Sendable {
  public var command: String
  public var env: [String: String]
  public var terminal: TerminalSize?
  public init(command: String, env: [String: String], terminal: TerminalSize?) {
    self.command = command
    self.env = env
    self.terminal = terminal
  }
}

/// `GET/POST /account/keys`, `DELETE /account/keys/FINGERPRINT-or-ID`.
public struct KeyResource: Codable, Sendable, Equatable {
  public var id: String
  public var email: String
  public var comment: String
  /// `SHA256:…`
  public var fingerprint: String
  public var public_key: String
  public var created_at: String
  public init(id: String, email: String, comment: String, fingerprint: String, public_key: String, created_at: String) {
    self.id = id
    self.email = email
    self.comment = comment
    self.fingerprint = fingerprint
    self.public_key = public_key
    self.created_at = created_at
  }
}

/// Body of `POST /account/keys`.
public struct KeyCreate: Codable, Sendable {
  public var public_key: String
  public init(public_key: String) { self.public_key = public_key }
}

/// `GET /account`.
public struct AccountResource: Codable, Sendable, Equatable {
  public var id: String
  public var email: String
  public var admin: Bool
  public init(id: String, email: String, admin: Bool) {
    self.id = id
    self.email = email
    self.admin = admin
  }
}

/// Body of `PATCH /apps/APP/config-vars`: `null` removes. The answer is the whole map, as for GET.
/// A change that changes nothing makes no release. The header `Paas-Release` of the answer names the new version.
public typealias ConfigVarsPatch = [String: String?]

/// `GET /platform`: addresses and versions, for `paas ready`-style output, git remotes and doctor.
public struct PlatformResource: Codable, Sendable, Equatable {
  public var version: String
  public var installation: String
  public var domain: String
  /// `host:port` as clients should dial them.
  public var ssh: String
  public var http: String
  public var api: String
  public var receiver_pid: Int32?
  public var router_pid: Int32?
  public var server_pid: Int32
  public init(
    version: String, installation: String, domain: String, ssh: String, http: String, api: String,
    receiver_pid: Int32?, router_pid: Int32?, server_pid: Int32
  ) {
    self.version = version
    self.installation = installation
    self.domain = domain
    self.ssh = ssh
    self.http = http
    self.api = api
    self.receiver_pid = receiver_pid
    self.router_pid = router_pid
    self.server_pid = server_pid
  }
}
