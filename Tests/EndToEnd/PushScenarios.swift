/// The table: what git's receive-pack does, so do we.
enum PushScenarios {
  static let all = refs + atomic + manyRefs + settings + hidden + hooks + objects + shallow + protocols + places

  // MARK: Refs

  static let refs = [
    PushScenario("a new branch", "push ../server.git main:new", says: "[new branch]", changes: true),
    PushScenario("a branch moves on", "push ../server.git main", says: "main", changes: true),
    PushScenario("nothing to do", "push -v ../server.git main~1:main", says: "Pushing to", changes: false),
    PushScenario("by force", "push ../server.git +side:main", says: "forced update", changes: true),
    PushScenario("not by force", "push ../server.git side:main", says: "rejected", changes: false),
    PushScenario("a branch goes", "push ../server.git :topic", says: "[deleted]", changes: true),
    PushScenario("what is not there cannot go", "push ../server.git :nope", says: "does not exist", changes: false),
    PushScenario(
      "one goes, one comes, one moves", "push ../server.git :topic main side:refs/heads/new", says: "[deleted]",
      changes: true),
    PushScenario(
      "tags: annotated, of a tag, light",
      """
      git tag -a -m two v2; git tag -a -m nested nested v2; git tag light
      push ../server.git v2 nested light
      """, says: "[new tag]", changes: true),
    PushScenario(
      "tags that name a tree and a blob",
      """
      git tag tree 'main^{tree}'; git tag blob main:one.txt; push ../server.git tree blob
      """, says: "[new tag]", changes: true),
    PushScenario(
      "a tag does not move unasked", "git tag -f v1 main; push ../server.git v1", says: "already exists", changes: false
    ),
    PushScenario(
      "a tag moves by force", "git tag -f v1 main; push -f ../server.git v1", says: "forced update", changes: true),
    PushScenario(
      "a branch that would be a tag", "push ../server.git v1:refs/heads/tagged", says: "rejected", changes: false),
    PushScenario("everything", "push --all ../server.git", says: "[new branch]", changes: true),
    PushScenario("a mirror", "push --mirror ../server.git", says: "[deleted]", changes: true),
    PushScenario("pruned", "push --prune ../server.git 'refs/heads/*:refs/heads/*'", says: "[deleted]", changes: true),
    PushScenario(
      "tags that follow", "git tag -a -m three v3; push --follow-tags ../server.git main", says: "v3", changes: true),
    PushScenario(
      "a lease that holds",
      """
      git fetch -q ../server.git +main:refs/remotes/o/main
      push --force-with-lease=main:$(git rev-parse main~1) ../server.git side:main
      """, says: "forced update", changes: true),
    PushScenario(
      "a lease that does not", "push --force-with-lease=main:$(git rev-parse old) ../server.git side:main",
      says: "stale info", changes: false),
    PushScenario("a rehearsal", "push -n ../server.git main", says: "main", changes: false),
    PushScenario(
      "the first push", setup: "rm -rf server.git; git init -q --bare -b main server.git", "push ../server.git main",
      says: "[new branch]", changes: true),
    PushScenario(
      "notes", "git notes add -m n; push ../server.git refs/notes/commits", says: "refs/notes/commits", changes: true),
    PushScenario(
      "a place of one's own", "push ../server.git main:refs/custom/a/b", says: "refs/custom/a/b", changes: true),
    PushScenario("a name of one part", "push ../server.git main:refs/one", says: "funny refname", changes: false),
    PushScenario(
      "names in other scripts, and in none",
      """
      push ../server.git main:refs/heads/zweig-ü-枝 main:refs/heads/a@b,c=d $'main:refs/heads/bad\\xff\\xfe'
      """, says: "[new branch]", changes: true),
    PushScenario(
      "a branch below a branch", "push ../server.git main:topic/sub", says: "cannot lock ref", changes: false),
    PushScenario(
      "a branch above a branch", setup: "git -C client push -q ../server.git main:refs/heads/dir/a/b",
      "push ../server.git main:refs/heads/dir main:refs/heads/dir/a", says: "cannot lock ref", changes: false),
    PushScenario(
      "a branch above a packed branch",
      setup: "git -C client push -q ../server.git main:refs/heads/dir/a; git -C server.git pack-refs --all",
      "push ../server.git main:refs/heads/dir", says: "cannot lock ref", changes: false),
    PushScenario(
      "two new branches of which one is a directory", "push ../server.git main:refs/heads/d main:refs/heads/d/e",
      says: "cannot create", changes: true),
    PushScenario(
      "a branch becomes a directory", "push ../server.git :topic main:refs/heads/topic/x", says: "[new branch]",
      changes: true),
    PushScenario(
      "packed refs move and go", setup: "git -C server.git pack-refs --all",
      """
      git tag -f v1 side; push -f ../server.git main :topic v1
      """, says: "[deleted]", changes: true),
    PushScenario(
      "a packed tag goes, its peeled line with it", setup: "git -C server.git pack-refs --all",
      """
      push ../server.git :v1; cat ../server.git/packed-refs
      """, says: "[deleted]", changes: true),
    PushScenario(
      "an alias moves what it names", setup: "git -C server.git symbolic-ref refs/heads/alias refs/heads/topic",
      "push ../server.git main:alias", says: "alias", changes: true),
    PushScenario(
      "an alias of nothing makes it", setup: "git -C server.git symbolic-ref refs/heads/alias refs/heads/none",
      "push ../server.git main:alias", says: "alias", changes: true),
    PushScenario(
      "an alias and its target agree", setup: "git -C server.git symbolic-ref refs/heads/alias refs/heads/topic",
      "push ../server.git main:alias main:topic", says: "alias", changes: true),
    PushScenario(
      "an alias and its target disagree", setup: "git -C server.git symbolic-ref refs/heads/alias refs/heads/topic",
      "push ../server.git main:alias +side:topic", says: "inconsistent aliased update", changes: false),
    PushScenario(
      "an alias goes", setup: "git -C server.git symbolic-ref refs/heads/alias refs/heads/topic",
      "push ../server.git :alias", says: "[deleted]", changes: true),
    PushScenario(
      "an alias that leads round in a circle",
      setup: """
        git -C server.git symbolic-ref refs/heads/a refs/heads/b; git -C server.git symbolic-ref refs/heads/b refs/heads/a
        """, "push ../server.git main:a", says: "broken symref", changes: false),
    PushScenario(
      "a lock that somebody left", setup: "touch server.git/refs/heads/main.lock", "push ../server.git main side:new",
      says: "Another git process seems to be running", changes: true),
  ]

  static let atomic = [
    PushScenario(
      "all or nothing: all", "push --atomic ../server.git main :topic side:new", says: "[deleted]", changes: true),
    PushScenario(
      "all or nothing: nothing, says the client", "push --atomic ../server.git side:main main:new", says: "atomic",
      changes: false),
    PushScenario(
      "all or nothing: nothing, says a name", "push --atomic ../server.git main main:topic/x",
      says: "atomic transaction failed", changes: false),
    PushScenario(
      "all or nothing: nothing, for one is a directory of the other",
      "push --atomic ../server.git main:refs/heads/d main:refs/heads/d/e main",
      says: "at the same time", changes: false),
    PushScenario(
      "all or nothing: nothing, says a rule", setup: "git -C server.git config receive.denyDeletes true",
      "push --atomic ../server.git main :topic", says: "atomic push failure", changes: false),
    PushScenario(
      "all or nothing is not offered", setup: "git -C server.git config receive.advertiseAtomic false",
      "push --atomic ../server.git main", says: "does not support --atomic", changes: false),
  ]

  static let manyRefs = [
    PushScenario(
      "1,200 refs",
      """
      for n in $(seq 1200); do echo "create refs/tags/t$n main"; done | git update-ref --stdin
      push ../server.git 'refs/tags/*:refs/tags/*'
      """, says: "t1200", changes: true),
    PushScenario(
      "1,200 refs, all or nothing",
      """
      for n in $(seq 1200); do echo "create refs/tags/t$n main"; done | git update-ref --stdin
      push --atomic ../server.git 'refs/tags/*:refs/tags/*'
      """, says: "t1200", changes: true),
    PushScenario(
      "300 refs go, move and come",
      setup: """
        (cd server.git; for n in $(seq 300); do echo "create refs/tags/t$n main"; done | git update-ref --stdin
        git pack-refs --all)
        """,
      """
      for n in $(seq 200 400); do echo "create refs/tags/t$n main"; done | git update-ref --stdin
      push --prune -f ../server.git 'refs/tags/t*:refs/tags/t*'
      """, says: "t400", changes: true),
  ]
}
