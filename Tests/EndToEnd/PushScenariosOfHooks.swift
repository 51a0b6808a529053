extension PushScenarios {
  private static let zero = String(repeating: "0", count: 40)

  private static func hook(_ name: String, _ body: String, in directory: String = "server.git/hooks") -> String {
    """
    mkdir -p \(directory)
    cat >\(directory)/\(name) <<'HOOK'
    #!/bin/sh
    \(body)
    HOOK
    chmod +x \(directory)/\(name)

    """
  }

  private static let everyHook = ["pre-receive", "update", "post-receive", "post-update"].map {
    hook(
      $0,
      """
      echo "$0 $*"; pwd; env | grep -E '^GIT_(DIR|PUSH|QUARANTINE|OBJECT|ALTERNATE)' | sort | sed 's,tmp_objdir.*,Q,;s,/\\./,/,'
      cat
      echo done >&2
      """)
  }.joined()

  static let hooks = [
    PushScenario(
      "every hook hears what it should", setup: everyHook, "push ../server.git main :topic side:new",
      says: "post-update refs/heads/main", changes: true),
    PushScenario(
      "hooks hear of options", setup: everyHook + "git -C server.git config receive.advertisePushOptions true",
      "push -o a -o 'b=c d' ../server.git main; push ../server.git side:new", says: "GIT_PUSH_OPTION_1=b=c d",
      changes: true),
    PushScenario(
      "every hook, all or nothing", setup: everyHook, "push --atomic ../server.git main :topic side:new", says: "done",
      changes: true),
    PushScenario(
      "pre-receive refuses", setup: hook("pre-receive", "echo no; exit 1"), "push ../server.git main :topic",
      says: "pre-receive hook declined", changes: false),
    PushScenario(
      "pre-receive sees what was pushed, nobody else does",
      setup: hook(
        "pre-receive",
        """
        while read -r old new ref; do
          git log --oneline "$old..$new"; git cat-file -t "$new"
          env -u GIT_OBJECT_DIRECTORY -u GIT_ALTERNATE_OBJECT_DIRECTORIES -u GIT_QUARANTINE_PATH git cat-file -t "$new" 2>&1
        done; exit 1
        """), "push ../server.git main", says: "three", changes: false),
    PushScenario(
      "pre-receive may not move refs", setup: hook("pre-receive", "git update-ref refs/heads/sneaked HEAD 2>&1"),
      "push ../server.git main", says: "ref updates forbidden inside quarantine environment", changes: false),
    PushScenario(
      "update refuses one", setup: hook("update", "[ $1 != refs/heads/new ]"),
      "push ../server.git main side:new :topic", says: "hook declined to update refs/heads/new", changes: true),
    PushScenario(
      "update refuses one of all or nothing", setup: hook("update", "[ $1 != refs/heads/new ]"),
      "push --atomic ../server.git main side:new :topic", says: "atomic push failure", changes: false),
    PushScenario(
      "post-receive fails, and nobody cares", setup: hook("post-receive", "echo sorry; exit 7"),
      "push ../server.git main", says: "sorry", changes: true),
    PushScenario(
      "a hook that prints a megabyte", setup: hook("pre-receive", "yes 0123456789abcdef | head -n 65536"),
      "push ../server.git main 2>&1 | md5sum", says: "-", changes: true),
    PushScenario(
      "a hook that prints half a line and nothing",
      setup: hook("pre-receive", "printf half") + hook("post-receive", "printf '\\n\\nend'"), "push ../server.git main",
      says: "half", changes: true),
    PushScenario(
      "a hook that does not listen", setup: hook("pre-receive", "exec <&-; exit 0"),
      """
      for n in $(seq 1200); do echo "create refs/tags/t$n main"; done | git update-ref --stdin
      push ../server.git 'refs/tags/*:refs/tags/*'
      """, says: "t1200", changes: true),
    PushScenario(
      "a hook that may not be executed", setup: hook("pre-receive", "exit 1") + "chmod -x server.git/hooks/pre-receive",
      "push ../server.git main", says: "was ignored because it's not set as executable", changes: true),
    PushScenario(
      "a hook whose interpreter is missing",
      setup: """
        mkdir -p server.git/hooks; echo '#!/nonexistent/interpreter' >server.git/hooks/pre-receive; chmod +x server.git/hooks/pre-receive
        """, "push ../server.git main", says: "cannot run hooks/pre-receive", changes: false),
    PushScenario(
      "an update hook whose interpreter is missing",
      setup: """
        mkdir -p server.git/hooks; echo '#!/nonexistent/interpreter' >server.git/hooks/update; chmod +x server.git/hooks/update
        """, "push ../server.git main", says: "hook declined", changes: false),
    PushScenario(
      "a hook without a first line",
      setup: """
        mkdir -p server.git/hooks; echo 'echo plain; exit 3' >server.git/hooks/pre-receive; chmod +x server.git/hooks/pre-receive
        """, "push ../server.git main", says: "plain", changes: false),
    PushScenario(
      "a hook that dies of a signal", setup: hook("pre-receive", "kill -9 $$"), "push ../server.git main",
      says: "pre-receive hook declined", changes: false,
      differences: [.init(lines: "pre-receive died of signal 9", reason: "x")]),
    PushScenario(
      "hooks elsewhere",
      setup: hook("pre-receive", "echo elsewhere $0; exit 1", in: "elsewhere")
        + "git -C server.git config core.hooksPath ../elsewhere",
      "push ../server.git main", says: "elsewhere ../elsewhere/pre-receive", changes: false),
    PushScenario(
      "the transaction's hook", setup: hook("reference-transaction", "echo \"$1\"; cat"),
      "push ../server.git main side:new", says: "committed", changes: true),
    PushScenario(
      "the transaction's hook, all or nothing", setup: hook("reference-transaction", "echo \"$1\"; cat"),
      "push --atomic ../server.git main side:new", says: "committed", changes: true),
    PushScenario(
      "the transaction's hook of an alias",
      setup: hook("reference-transaction", "echo \"$1\"; cat")
        + "git -C server.git symbolic-ref refs/heads/alias refs/heads/topic",
      "push ../server.git main:alias", says: "committed", changes: true),
    PushScenario(
      "the transaction's hook of a deletion", setup: hook("reference-transaction", "echo \"$1\"; cat"),
      "push ../server.git :topic", says: "committed", changes: true,
      differences: [
        .init(lines: "aborted", reason: "git also opens, and drops, a transaction of packed refs"),
        .init(lines: "\(zero) \(zero) refs/heads/topic", reason: "the same"),
      ]),
    PushScenario(
      "the transaction's hook refuses", setup: hook("reference-transaction", "echo \"$1\"; [ $1 != prepared ]"),
      "push ../server.git main", says: "ref updates aborted by hook", changes: false),
  ]
}
