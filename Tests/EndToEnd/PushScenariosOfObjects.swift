extension PushScenarios {
  static let objects = [
    PushScenario(
      "a thin pack, and one that is not",
      """
      seq 5000 >long; git add -A; git commit -q -m long; push ../server.git main
      echo more >>long; git commit -q -a -m more; push --thin ../server.git main
      echo more >>long; git commit -q -a -m more; push --no-thin ../server.git main
      """, says: "main", changes: true),
    PushScenario(
      "objects that a borrowed repository has",
      setup: """
        git clone -q --bare --shared server.git server2.git; git -C client push -q ../server.git main
        """, "raw report-status | receive ../server2.git; push ../server2.git main:refs/heads/new", says: ".have",
      changes: true),
    PushScenario(
      "a pack that lacks the commit",
      """
      (raw report-status "$ZERO $(git rev-parse main) refs/heads/new"; empty) | receive
      """, says: "missing necessary objects", changes: false),
    PushScenario(
      "a pack that lacks a file",
      """
      (raw report-status "$ZERO $(git rev-parse main) refs/heads/new"
      git rev-parse main 'main^{tree}' | git pack-objects -q --stdout) | receive
      """, says: "missing necessary objects", changes: false,
      differences: [
        .init(lines: "fatal: ", reason: "our words for which object is missing")
      ]),
    PushScenario(
      "one ref lacks its objects, the other does not",
      """
      (raw "report-status side-band-64k" "$ZERO 1111111111111111111111111111111111111111 refs/heads/bad" \\
        "$ZERO $(git rev-parse main~1) refs/heads/good"; empty) | receive
      """, says: "ok refs/heads/good", changes: true),
    PushScenario(
      "a pack that is none",
      """
      (raw "report-status" "$ZERO $(git rev-parse main) refs/heads/new"; echo garbage garbage garbage) | receive
      """, says: "ng refs/heads/new unpacker error", changes: false, differences: unpackLine),
    PushScenario(
      "a pack of another version",
      """
      (raw "report-status" "$ZERO $(git rev-parse main) refs/heads/new"; printf 'PACK\\0\\0\\0\\11\\0\\0\\0\\0') | receive
      """, says: "unpacker error", changes: false, differences: unpackLine),
    PushScenario(
      "no pack at all", "raw report-status \"$ZERO $(git rev-parse main) refs/heads/new\" | receive",
      says: "unpacker error", changes: false, differences: unpackLine),
    PushScenario(
      "a pack whose sum is wrong",
      """
      (raw "report-status" "$ZERO $(git rev-parse main) refs/heads/new"
      git pack-objects -q --revs --stdout <<<main | sed 's/......$/sixsix/') | receive
      """, says: "unpacker error", changes: false,
      differences: unpackLine),
    PushScenario(
      "an object that fsck refuses, where fsck is wanted", setup: "git -C server.git config receive.fsckObjects true",
      evilTree, says: "unpacker error", changes: false,
      differences: PushScenarios.packRefused + [
        .init(lines: "remote: error: object ", reason: "git names fsck's rule, we say what is wrong")
      ]),
    PushScenario(
      "an object that fsck refuses, where transfers want it",
      setup: "git -C server.git config transfer.fsckObjects true",
      evilTree, says: "unpacker error", changes: false,
      differences: PushScenarios.packRefused + [
        .init(lines: "remote: error: object ", reason: "git names fsck's rule, we say what is wrong")
      ]),
    PushScenario("an object that fsck refuses, where it is not wanted", evilTree, says: "evil", changes: true),
    PushScenario(
      "a submodule's commit need not be there",
      """
      git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,module
      git commit -q -m module; push ../server.git main
      """, says: "main", changes: true),
  ]

  /// A tree with an entry `..`.
  private static let evilTree = """
    tree=$(printf '100644 ..\\0%b' "$(git rev-parse main:one.txt | sed 's/../\\\\x&/g')" |
      git hash-object -w -t tree --literally --stdin)
    git update-ref refs/heads/evil $(git commit-tree "$tree" -m evil)
    push ../server.git evil
    """

  static let unpackLine = [
    PushScenario.Difference(lines: "unpack ", reason: "git names its program or the step, we the reason")
  ]

  static let shallow = [
    PushScenario(
      "a shallow clone pushes what connects", setup: "git clone -q --depth 1 file://$PWD/server.git cut",
      """
      cd ../cut; echo x >x; git add x; git commit -q -m x; push ../server.git HEAD:main
      """, says: "main", changes: true),
    PushScenario(
      "a shallow clone pushes what does not",
      setup: """
        git clone -q --depth 1 file://$PWD/server.git cut; git init -q --bare -b main server2.git
        """, "cd ../cut; push ../server2.git HEAD:main", says: "shallow update not allowed", changes: false),
    PushScenario(
      "a shallow clone pushes what does not, and may",
      setup: """
        git clone -q --depth 1 file://$PWD/server.git cut; git init -q --bare -b main server2.git
        git -C server2.git config receive.shallowUpdate true
        """, "cd ../cut; push ../server2.git HEAD:main", says: "[new branch]", changes: true),
    PushScenario(
      "into a shallow repository",
      setup: """
        git clone -q --bare --depth 1 file://$PWD/server.git server2.git
        """, "push ../server2.git main; raw report-status | receive ../server2.git", says: "shallow ", changes: true),
  ]

  static let protocols = [
    PushScenario("version 1", "git config protocol.version 1; push ../server.git main", says: "main", changes: true),
    PushScenario(
      "version 2 is answered in 0", "git config protocol.version 2; push ../server.git main", says: "main",
      changes: true),
    PushScenario(
      "what is advertised, in three versions",
      """
      for v in 0 1 2; do raw report-status | GIT_PROTOCOL=version=$v receive; done
      """, says: "version 1", changes: false),
    PushScenario("quietly", "push -q ../server.git main; echo \"status $?\"", says: "status 0", changes: true),
    PushScenario("talkatively", "push -v ../server.git main", says: "main", changes: true),
    PushScenario(
      "without side band",
      "(raw report-status \"$(git rev-parse old) $(git rev-parse main) refs/heads/main\"; empty) | receive",
      says: "ng refs/heads/main", changes: false,
      differences: [
        .init(lines: "fatal: ", reason: "our words for which object is missing")
      ]),
    PushScenario(
      "without a report", "(raw x \"$ZERO $(git rev-parse main~1) refs/heads/new\"; empty) | receive",
      says: "object-format",
      changes: true),
    PushScenario(
      "report of version 2",
      "(raw 'report-status-v2 side-band-64k' \"$ZERO $(git rev-parse main~1) refs/heads/new\"; empty) | receive",
      says: "ok refs/heads/new", changes: true),
    PushScenario(
      "an outdated view",
      """
      (raw "report-status side-band-64k" "$(git rev-parse old) $(git rev-parse main~1) refs/heads/topic" \\
        "$ZERO $(git rev-parse old) refs/heads/main" "$(git rev-parse old) $(git rev-parse main~1) refs/heads/none"
      empty) | receive
      """, says: "but expected", changes: false),
    PushScenario(
      "deletions of what is not there",
      """
      raw "report-status side-band-64k" "$(git rev-parse old) $ZERO refs/heads/none" \\
        "1111111111111111111111111111111111111111 $ZERO refs/heads/nothing" "$ZERO $ZERO refs/heads/never" | receive
      """, says: "deleting a non-existent ref", changes: false),
    PushScenario(
      "one ref twice",
      """
      (raw "report-status side-band-64k" "$ZERO $(git rev-parse old) refs/heads/a" "$ZERO $(git rev-parse old) refs/heads/a"
      empty) | receive
      """, says: "reference already exists", changes: true),
    PushScenario(
      "one ref twice, all or nothing",
      """
      (raw "report-status side-band-64k atomic" "$ZERO $(git rev-parse old) refs/heads/a" "$ZERO $(git rev-parse old) refs/heads/a"
      empty) | receive
      """, says: "not allowed", changes: false),
    PushScenario(
      "names that are none",
      """
      (raw "report-status side-band-64k" "$ZERO $(git rev-parse old) refs/heads/a..b" "$ZERO $(git rev-parse old) foo" \\
        "$ZERO $(git rev-parse old) refs/heads/../../x" "$ZERO $(git rev-parse old) refs/heads/.a" \\
        "$ZERO $(git rev-parse old) refs/heads/a.lock" "$(git rev-parse old) $ZERO HEAD" \\
        "$ZERO $(git rev-parse old) refs/heads/a b" "$ZERO $(git rev-parse old) refs/heads//c"
      empty) | receive
      """, says: "funny ref", changes: false),
    PushScenario(
      "a line that is no command", "raw report-status 'hello world' | receive; echo ${PIPESTATUS[1]}",
      says: "expected old/new/ref, got 'hello world'", changes: false),
    PushScenario(
      "a packet that is none", "printf zzzz | receive; echo ${PIPESTATUS[1]}", says: "bad line length character",
      changes: false),
    PushScenario(
      "another kind of objects",
      "raw 'report-status object-format=sha256' \"$ZERO $(git rev-parse old) refs/heads/a\" | receive",
      says: "unsupported object format", changes: false,
      differences: [.init(lines: "unsupported object format", reason: "git says error twice in one line")]),
    PushScenario(
      "a client that hangs up", "\"$RECEIVER\" ../server.git </dev/null | wc -l",
      says: "the remote end hung up unexpectedly", changes: false),
  ]

  static let places = [
    PushScenario(
      "no repository", "push ../nothing main", says: "does not appear to be a git repository", changes: false),
    PushScenario(
      "a directory that is none", setup: "mkdir empty", "push ../empty main",
      says: "does not appear to be a git repository", changes: false),
    PushScenario("a file that is none", setup: "touch file", "push ../file main", says: "file", changes: false),
    PushScenario("the name without .git", "push ../server main", says: "main", changes: true),
    PushScenario(
      "a file that leads to the repository", setup: "mkdir link; echo \"gitdir: $PWD/server.git\" >link/.git",
      "push ../link main", says: "main", changes: true),
    PushScenario(
      "somebody else's repository", setup: "[ $(id -u) = 0 ] && chown -R 12345 server.git || true",
      "push ../server.git main", says: "dubious ownership", changes: false),
    PushScenario(
      "somebody else's repository, declared safe",
      setup: """
        [ $(id -u) = 0 ] && chown -R 12345 server.git || true
        git config -f config safe.directory "*"
        """, "GIT_CONFIG_GLOBAL=$PWD/../config push ../server.git main", says: "main", changes: true),
    PushScenario(
      "settings of the person who serves", setup: "git config -f config receive.denyDeletes true",
      "GIT_CONFIG_GLOBAL=$PWD/../config push ../server.git :topic", says: "deletion prohibited", changes: false),
    PushScenario(
      "a format from the future", setup: "git -C server.git config core.repositoryFormatVersion 9 || true",
      "push ../server.git main", says: "Expected git repo version <= 1, found 9", changes: false),
  ]
}
