import Glibc
import Linux
import Testing

/// The table of fetches: git's own upload-pack and `paas upload-pack` serve the same repository to the stock client.
@Suite("Fetches, compared with git's own server")
struct FetchTableTests {
  /// What a client saw and what it has afterwards.
  private struct Seen: Equatable {
    var transcript: String
    var errors: [String]
  }

  @Test("the client cannot tell whose server it was", .serialized, arguments: FetchScenario.all)
  func compare(_ scenario: FetchScenario) async throws {
    let bench = try await FetchBench()
    defer { bench.remove() }
    try await bench.prepare(scenario)
    var theirs = (transcript: "", errors: "")
    for version in 0...2 {
      // Version 1 is version 0 behind a line that says so: git has shown its answer to it already.
      if version != 1 {
        theirs = try await bench.run(scenario, version: version, program: "git-upload-pack", name: "git")
      }
      let ours = try await bench.run(scenario, version: version, program: bench.paas, name: "paas")
      #expect(ours.transcript == theirs.transcript, "protocol \(version)")
      #expect(
        filtered(ours.errors, scenario) == filtered(theirs.errors, scenario),
        "protocol \(version)\n--- git\n\(theirs.errors)\n--- paas\n\(ours.errors)")
      let everything = theirs.transcript + theirs.errors
      #expect(everything.contains(scenario.expect), "protocol \(version): \(everything)")
      let served = bench.served()
      #expect(served.count == [2, 3, 5][version], "both programs served: \(served)")
    }
  }

  /// Lines that people see, in no order: the client and its server write to the same place.
  private func filtered(_ text: String, _ scenario: FetchScenario) -> [String] {
    let lines = text.split(whereSeparator: { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }).map { line in
      String(line.reversed().drop { $0 == " " }.reversed())
    }
    return lines.filter { line in
      // How far something has come, in between, is a matter of speed, and so is what is shown after two seconds only.
      let counts = line.contains("% (") || line.hasPrefix("remote: Enumerating objects: ")
      let isPassing = counts && !line.contains(", done") || line.hasPrefix("Updating files: ")
      return !isPassing && !scenario.mayDiffer.contains { line.hasPrefix($0) }
    }.sorted()
  }

  @Test("a client that leaves in the middle of a pack leaves no server behind", arguments: ["0", "2"])
  func leaving(version: String) async throws {
    let bench = try await FetchBench()
    defer { bench.remove() }
    let script = """
      head -c 3000000 /dev/urandom >$SERVER/blob && cd $SERVER && b=$(git hash-object -w blob) &&
      t=$(printf '100644 blob %s\\tbig\\n' $b | git mktree) && git update-ref refs/heads/big $(git commit-tree $t -m big) &&
      c=$(git rev-parse refs/heads/big) && exec 3>&1 &&
      if [ $GIT_PROTOCOL = version=2 ]; then
        printf '0012command=fetch\\n00010032want %s\\n0009done\\n0000' $c
      else
        printf '0032want %s\\n00000009done\\n' $c
      fi | { \(bench.paas) $SERVER; echo "server $?" >&3; } | head -c 20000 | wc -c
      """
    let outcome = try await Program.run(
      "/bin/sh", ["-c", script], environment: bench.environment.merging(["GIT_PROTOCOL": "version=\(version)"]) { $1 })
    #expect(outcome.out.contains("20000"), "\(outcome)")
    #expect(outcome.out.contains("server "), "\(outcome)")
    #expect(!outcome.out.contains("server 0"), "\(outcome)")
  }
}

/// A server's repository that every scenario gets afresh, and a place for clients.
struct FetchBench {
  let directory: String
  /// What a client calls as its `--upload-pack`.
  let paas = "\(Installation.binary) upload-pack"

  var environment: [String: String] { Self.environment(directory) }

  private static func environment(_ directory: String) -> [String: String] {
    [
      "HOME": directory, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", "SERVER": "\(directory)/server.git",
      "URL": "file://\(directory)/server.git", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.c",
      "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b.c", "GIT_AUTHOR_DATE": "1700009000 +0000",
      "GIT_COMMITTER_DATE": "1700009000 +0000", "GIT_TERMINAL_PROMPT": "0",
      "GIT_TEST_FSYNC": "0",
    ]
  }

  init() async throws {
    var template = Array("/tmp/paas-fetch-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError("make a temporary directory") }
    directory = String(cString: made)
    try await shell("cp -a '\(try await Self.made.value)'/. .", in: directory)
  }

  /// The history, made once for all scenarios.
  private static let made = Task {
    let place = "/tmp/paas-fetch-history-\(getpid())"
    try Files.makeDirectory(place)
    atexit { try? Files.removeTree("/tmp/paas-fetch-history-\(getpid())") }  // a leftover in /tmp fails no test
    let outcome = try await Program.run("/bin/sh", ["-ec", history], environment: environment(place), directory: place)
    try #require(outcome.status == 0, "\(outcome)")
    return place
  }

  func remove() { try? Files.removeTree(directory) }  // a leftover in /tmp fails no test

  private func shell(_ script: String, in place: String) async throws {
    let outcome = try await Program.run("/bin/sh", ["-ec", script], environment: environment, directory: place)
    try #require(outcome.status == 0, "\(outcome)")
  }

  func prepare(_ scenario: FetchScenario) async throws {
    try await shell(scenario.server.isEmpty ? ":" : scenario.server, in: "\(directory)/server.git")
    try await shell("mkdir pristine && cp -a $(ls | grep -v pristine) pristine/", in: directory)
  }

  /// Which programs were started so far, one line each.
  func served() -> Set<String> {
    Set(((try? Files.text("\(directory)/served")) ?? "").split(separator: "\n").map(String.init))
  }

  /// Runs the scenario's client against a fresh copy of the server.
  func run(
    _ scenario: FetchScenario, version: Int, program: String, name: String
  ) async throws -> (transcript: String, errors: String) {
    try await shell(
      "for f in pristine/*; do rm -rf $(basename $f); cp -a $f .; done; rm -rf client; mkdir client", in: directory)
    // Read by a shell and not executed: a child that another thread starts meanwhile may hold it open.
    let wrapper = "/bin/sh \(directory)/serve"
    let serve = "echo \(name) \(version) >>\(directory)/served\nexec \(program) \"$@\"\n"
    try Files.writeDurably(serve.utf8, to: "\(directory)/serve")
    let script = Self.functions + scenario.client + "\n" + Self.look
    var variables = environment
    variables["UP"] = wrapper
    variables["V"] = "\(version)"
    // For what git fetches later by itself, of a partial clone.
    for (index, pair) in [("remote.origin.uploadpack", wrapper), ("protocol.version", "\(version)")].enumerated() {
      variables["GIT_CONFIG_KEY_\(index)"] = pair.0
      variables["GIT_CONFIG_VALUE_\(index)"] = pair.1
    }
    variables["GIT_CONFIG_COUNT"] = "2"
    let outcome = try await Program.run(
      "/bin/sh", ["-c", script], environment: variables, directory: "\(directory)/client")
    return (outcome.out, outcome.err)
  }

  private static let functions = """
    clone() { git -c protocol.version=$V clone --upload-pack "$UP" "$@"; echo "exit $?"; }
    fetch() { git -c protocol.version=$V fetch --upload-pack "$UP" "$@"; echo "exit $?"; }
    git_ls() { git -c protocol.version=$V ls-remote --symref --upload-pack "$UP" "$@"; echo "exit $?"; }

    """

  /// What the clone holds: refs, HEAD, its shallow edge, its objects, and whether they are sound.
  private static let look = """

    [ -d .git ] || [ -d objects ] || cd c 2>/dev/null || { echo "no clone"; exit 0; }
    git for-each-ref --format='%(refname) %(objectname) %(symref)'
    cat "$(git rev-parse --git-dir)/HEAD"
    sort "$(git rev-parse --git-dir)/shallow" 2>/dev/null | sed 's/^/shallow /'
    git rev-list --objects --all --missing=print 2>&1 | cut -c1-41 | sort | sha1sum
    git fsck --full 2>&1 | sort; git status --porcelain 2>&1 | head -5
    """

  /// A history with branches, merges, tags of every kind, a submodule, and one long file.
  private static let history = """
    git init -q -b main work && cd work
    n=0
    step() {
      n=$((n + 1)); seq $n 400 >long.txt; seq 1 $n >>long.txt; mkdir -p d/e; echo $n >d/e/file-$n; git add -A
      GIT_COMMITTER_DATE="$((1700000000 + 100 * n)) +0000" git commit -qm "step $n"
    }
    step; step; step
    git branch old
    git checkout -q -b side; step; step
    git checkout -q main; step
    GIT_COMMITTER_DATE="1700000700 +0000" git merge -q -s ours -m merge side; n=7
    step; git tag -a -m "version 1" v1; git tag light-1; step
    git update-index --add --cacheinfo 160000,$(git rev-parse old),module; git commit -qm module
    git tag -a -m nested nested v1; git tag -a -m "of a tree" of-tree main^{tree}; git tag of-blob main:long.txt
    step; step
    git update-ref refs/other/kept side~1
    cd .. && git clone -q --mirror work server.git && cd server.git && git repack -qadf && git pack-refs --all
    git config --unset remote.origin.url || :
    git config --remove-section remote.origin || :
    """
}
