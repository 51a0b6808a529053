import Glibc
import Linux
import Testing

/// One push that git's own receive-pack and ours must answer alike.
struct PushScenario: Sendable, CustomTestStringConvertible {
  /// Lines that only one side says, and why that is right.
  struct Difference: Sendable {
    /// What such a line holds.
    var lines: String
    var reason: String
  }

  var name: String
  /// Shell, in the directory that holds `server.git` and `client`, before anything is compared.
  var setup = ""
  /// Shell, in the client; `push` is `git push` to the receiver under test.
  var act: String
  /// What the client's output must hold, so that two sides that failed to start do not pass for equal.
  var says: String
  /// Whether the server's refs are others afterwards.
  var changes: Bool
  var differences: [Difference] = []

  init(
    _ name: String, setup: String = "", _ act: String, says: String, changes: Bool, differences: [Difference] = []
  ) {
    (self.name, self.setup, self.act, self.says) = (name, setup, act, says)
    (self.changes, self.differences) = (changes, differences)
  }

  var testDescription: String { name }
}

/// Runs scenarios: the same directory at the same path for both sides, one after the other.
struct PushStage {
  /// What one side did.
  struct Result {
    var output: String
    var errors: String
    var status: Int32
    /// Refs, HEAD, logs, `shallow`, what fsck says, and left-over temporary files.
    var state: String
    var before: String
    var calls: Int
  }

  enum Receiver: String, CaseIterable { case git, ours }

  let root: String

  init() throws {
    var template = Array("/tmp/paas-push-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError("make a directory in '/tmp'") }
    root = String(cString: made)
  }

  func remove() { try? Files.removeTree(root) }  // a leftover in /tmp fails no test

  /// Runs the scenario for one receiver; `porcelain`: with the report that programs read.
  func run(_ scenario: PushScenario, _ receiver: Receiver, porcelain: Bool) async throws -> Result {
    let place = "\(root)/place"
    try await shell("rm -rf '\(place)' && mkdir '\(place)'", in: root)
    try await shell(Self.base + "\ncd '\(place)'\n" + scenario.setup, in: place)
    let before = try await shell(Self.state, in: place).out
    let program = receiver == .git ? "git-receive-pack" : "'\(Installation.binary)' receive-pack"
    unlink("\(root)/calls")
    let mode = porcelain ? " --porcelain" : ""
    let act = """
      \(Self.script("\(root)/receiver", "echo called >>'\(root)/calls'", program))
      RECEIVER='\(root)/receiver'
      push() { git push --receive-pack="$RECEIVER"\(mode) "$@"; }
      \(Self.raw)
      \(scenario.act)
      """
    let outcome = try await Program.run(
      "/bin/bash", ["-c", act], environment: Self.environment, directory: "\(place)/client")
    let calls = (try? Files.text("\(root)/calls"))?.split(separator: "\n").count ?? 0  // none: never called
    return Result(
      output: outcome.out, errors: outcome.err, status: outcome.status,
      state: try await shell(Self.state, in: place).out, before: before, calls: calls)
  }

  /// Shell that writes a program. Not written by this process: a child that another thread starts meanwhile would
  /// hold it open, and then nobody may execute it.
  static func script(_ path: String, _ before: String, _ program: String) -> String {
    """
    cat >'\(path)' <<'PROGRAM'
    #!/bin/sh
    \(before)
    exec \(program) "$@"
    PROGRAM
    chmod +x '\(path)'
    """
  }

  @discardableResult
  private func shell(_ script: String, in directory: String) async throws -> Outcome {
    let outcome = try await Program.run(
      "/bin/bash", ["-ec", script], environment: Self.environment, directory: directory)
    guard outcome.status == 0 else { throw NotInTime(description: "set-up failed: \(outcome)\n\(script)") }
    return outcome
  }

  static let environment = [
    "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", "HOME": "/nonexistent", "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@b.c", "GIT_COMMITTER_DATE": "1700000000 +0000", "GIT_TERMINAL_PROMPT": "0",
    "GIT_TEST_FSYNC": "0",
  ]

  /// A bare repository with `main`, `topic` and a tag; a client that is a commit ahead, with an older branch and one
  /// that goes another way.
  static let base = """
    commit() { echo "$1" >"$1.txt"; git add -A; git commit -q -m "$1"; }
    git init -q --bare -b main server.git
    git init -q -b main client
    cd client
    commit one; commit two; git branch old HEAD~1; git tag -a -m annotated v1
    git push -q ../server.git main v1 main:refs/heads/topic
    commit three
    git checkout -q -b side old; commit side; git checkout -q main
    rm -f ../server.git/hooks/*
    """

  /// Packet lines by hand: `raw CAPABILITIES COMMAND…`, and an empty pack.
  static let raw = """
    ZERO=0000000000000000000000000000000000000000
    line() { printf '%04x%s' $((${#1}+4)) "$1"; }
    raw() {
      local capabilities=" $1" first=1; shift
      for command in "$@"; do
        if [ $first = 1 ]; then
          printf '%04x%s\\0%s' $((${#command}+${#capabilities}+5)) "$command" "$capabilities"; first=0
        else line "$command"; fi
      done
      printf 0000
    }
    empty() { git pack-objects -q --stdout </dev/null; }
    receive() { "$RECEIVER" "${1:-../server.git}" | tr -d '\\0' | sed -E 's/^....(.*)agent=[^ ]*/\\1agent=X/'; }
    """

  private static let state = """
    for repository in server*; do
      [ -d "$repository/.git" ] && repository="$repository/.git"
      [ -f "$repository/HEAD" ] || continue
      git -c safe.directory='*' -C "$repository" for-each-ref --format='%(refname) %(objectname) %(symref)' || true
      cat "$repository/HEAD"
      cat "$repository/shallow" 2>/dev/null || true
      (cd "$repository"; find logs -type f 2>/dev/null | sort | while read -r log; do echo "$log"; cat "$log"; done)
      find "$repository" -name 'tmp*' -o -name '*.lock' -o -name 'paas*' | grep -v kept.lock || true
      git -c safe.directory='*' -C "$repository" fsck --no-dangling --connectivity-only 2>&1 | sed 's/[0-9a-f]\\{40\\}/ID/' || true
    done
    """
}
