extension PushScenarios {
  private static func with(_ settings: String...) -> String {
    settings.map { "git -C server.git config \($0)" }.joined(separator: "\n")
  }

  /// A repository with a work tree, `server`, that has `main` checked out.
  private static let workTree = """
    git clone -q server.git server 2>/dev/null; rm -rf server.git

    """

  static let settings = [
    PushScenario(
      "deletions are denied", setup: with("receive.denyDeletes true"), "push ../server.git :topic :v1 main",
      says: "deletion prohibited", changes: true),
    PushScenario(
      "going back is denied", setup: with("receive.denyNonFastForwards true"),
      "push -f ../server.git side:main main:topic", says: "denying non-fast-forward", changes: true),
    PushScenario(
      "the current branch stays", "push ../server.git :main", says: "deletion of the current branch prohibited",
      changes: false),
    PushScenario(
      "the current branch stays, briefly", setup: with("receive.denyDeleteCurrent refuse"), "push ../server.git :main",
      says: "refusing to delete the current branch", changes: false),
    PushScenario(
      "the current branch goes with a warning", setup: with("receive.denyDeleteCurrent warn"),
      "push ../server.git :main", says: "deleting the current branch", changes: true),
    PushScenario(
      "the current branch goes", setup: with("receive.denyDeleteCurrent ignore"), "push ../server.git :main",
      says: "[deleted]", changes: true),
    PushScenario(
      "what is checked out stays", setup: workTree, "push ../server main main:new",
      says: "branch is currently checked out", changes: true),
    PushScenario(
      "what is checked out stays, briefly", setup: workTree + "git -C server config receive.denyCurrentBranch refuse",
      "push ../server main", says: "refusing to update checked out branch", changes: false),
    PushScenario(
      "what is checked out moves with a warning",
      setup: workTree + "git -C server config receive.denyCurrentBranch warn",
      "push ../server main", says: "updating the current branch", changes: true),
    PushScenario(
      "what is checked out moves, and has a log",
      setup: workTree + "git -C server config receive.denyCurrentBranch ignore",
      "push ../server main main:new :refs/remotes/origin/topic", says: "main", changes: true),
    PushScenario(
      "what a linked work tree has checked out stays", setup: "git -C server.git worktree add -q ../linked topic",
      "push ../server.git main:topic", says: "branch is currently checked out", changes: false),
    PushScenario(
      "logs of refs, where they are wanted", setup: with("core.logAllRefUpdates true"),
      "push ../server.git main main:new main:refs/custom/x v1:refs/tags/v9", says: "new", changes: true),
    PushScenario(
      "logs of all refs", setup: with("core.logAllRefUpdates always"), "push ../server.git main main:refs/custom/x",
      says: "custom", changes: true),
    PushScenario(
      "a ref takes its log with it",
      setup: """
        \(with("core.logAllRefUpdates true"))
        git -C client push -q ../server.git main:refs/heads/deep/er
        """, "push ../server.git :deep/er :topic", says: "[deleted]", changes: true),
    PushScenario(
      "a pack that is too large", setup: with("receive.maxInputSize 100"),
      """
      head -c 100000 /dev/urandom >large; git add -A; git commit -q -m large; push ../server.git main
      """, says: "unpacker error", changes: false, differences: packRefused),
    PushScenario(
      "a pack that is not too large", setup: with("receive.maxInputSize 1m"), "push ../server.git main", says: "main",
      changes: true),
    PushScenario(
      "a setting that is none", setup: with("receive.denyDeletes perhaps"), "push ../server.git main",
      says: "bad boolean config value 'perhaps' for 'receive.denydeletes'", changes: false),
    PushScenario(
      "options without a listener", "push -o a ../server.git main", says: "does not support push options",
      changes: false),
    PushScenario(
      "options with one", setup: with("receive.advertisePushOptions true"), "push -o a -o b=c ../server.git main",
      says: "main", changes: true),
  ]

  static let hidden = [
    PushScenario(
      "hidden refs are not shown", setup: with("receive.hideRefs refs/heads/topic"),
      "push ../server.git main; raw report-status | receive", says: "refs/tags/v1", changes: true),
    PushScenario(
      "hidden refs are not touched",
      setup: with("transfer.hideRefs refs/heads/topic", "--add transfer.hideRefs refs/secret"),
      "push ../server.git main:topic main main:refs/secret/x", says: "deny updating a hidden ref", changes: true),
    PushScenario(
      "hidden refs are not deleted", setup: with("receive.hideRefs refs/heads/topic"),
      """
      raw "report-status" "$(git rev-parse main~1) $ZERO refs/heads/topic" | receive
      """, says: "deny deleting a hidden ref", changes: false),
    PushScenario(
      "some are shown after all",
      setup: with("receive.hideRefs refs/heads", "--add receive.hideRefs '!refs/heads/topic'"),
      "push ../server.git main:topic main:new", says: "deny updating a hidden ref", changes: true),
    PushScenario(
      "all or nothing with a hidden ref", setup: with("receive.hideRefs refs/heads/topic"),
      "push --atomic ../server.git main main:topic", says: "deny updating a hidden ref", changes: true),
  ]

  /// Where git names the program that failed, we name what it is that failed.
  static let packRefused = [
    PushScenario.Difference(lines: "remote: fatal: ", reason: "our words for what is wrong with the pack"),
    PushScenario.Difference(lines: "error: remote unpack failed: ", reason: "git names its program, we the reason"),
  ]
}
