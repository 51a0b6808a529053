import Testing

/// One line of the table: a clone or fetch by the stock client, served by git's own upload-pack and by ours.
struct FetchScenario: Sendable, CustomTestStringConvertible {
  var name: String
  /// Shell, in the server's repository (`$SERVER`), before anybody comes.
  var server = ""
  /// Shell, in an empty directory. `clone` and `fetch` are git's, with the server's program and the protocol version;
  /// each leaves its exit status in the transcript. The clone to look at is `c`.
  var client: String
  /// What the transcript must hold, so that a scenario in which nothing happens fails.
  var expect: String
  /// Lines of the client's stderr that may differ, by what they begin with, and why.
  var mayDiffer: [String] = []

  var testDescription: String { name }
}

extension FetchScenario {
  static let all: [FetchScenario] = full + shallow + incremental + odd + refused

  /// The program's own last words before the client's `fatal:` line. git's name the place in git.
  private static let serversWords = "fatal: git upload-pack"

  private static let full = [
    FetchScenario(name: "a full clone", client: "clone $URL c", expect: "exit 0"),
    FetchScenario(name: "a bare clone", client: "clone --bare $URL c", expect: "exit 0"),
    FetchScenario(name: "a mirror", client: "clone --mirror $URL c", expect: "refs/other/kept"),
    FetchScenario(
      name: "an empty repository", server: "rm -rf refs/heads/* refs/tags/* refs/other packed-refs",
      client: "clone $URL c", expect: "You appear to have cloned an empty repository"),
    FetchScenario(
      name: "an unborn HEAD beside other branches", server: "git symbolic-ref HEAD refs/heads/nowhere",
      client: "clone $URL c", expect: "remote HEAD refers to nonexistent ref"),
    FetchScenario(
      name: "a detached HEAD", server: "git update-ref --no-deref HEAD $(git rev-parse main~3)",
      client: "clone $URL c", expect: "exit 0"),
    FetchScenario(
      name: "HEAD on another branch", server: "git symbolic-ref HEAD refs/heads/side", client: "clone $URL c",
      expect: "refs/heads/side"),
    FetchScenario(name: "one branch", client: "clone --single-branch -b side $URL c", expect: "exit 0"),
    FetchScenario(name: "a tag as the branch", client: "clone -b v1 $URL c", expect: "exit 0"),
    FetchScenario(name: "no tags", client: "clone --no-tags $URL c", expect: "exit 0"),
    FetchScenario(
      name: "1,200 refs",
      server: "for i in $(seq 1200); do echo \"create refs/heads/b/$i main~$((i % 9))\"; done | git update-ref --stdin",
      client: "clone $URL c", expect: "refs/remotes/origin/b/1200"),
    FetchScenario(
      name: "1,200 packed refs, with annotated tags among them",
      server: """
        for i in $(seq 1200); do echo "create refs/tags/t/$i refs/tags/v1"; done | git update-ref --stdin
        git pack-refs --all
        """,
      client: "clone $URL c", expect: "refs/tags/t/1200"),
    FetchScenario(
      name: "loose objects",
      server: "mv objects/pack ../aside; for p in ../aside/*.pack; do git unpack-objects -q <$p; done",
      client: "clone $URL c", expect: "exit 0"),
    FetchScenario(
      name: "many packs",
      server: """
        for i in 1 2 3 4 5; do
          t=$(git rev-parse main^{tree})
          git update-ref refs/heads/main $(echo "more $i" | git commit-tree $t -p main)
          git repack -q -d
        done
        """,
      client: "clone $URL c", expect: "exit 0"),
    FetchScenario(
      name: "alternates",
      server: """
        mkdir -p ../other/objects/info && mv objects/pack ../other/objects/pack && mkdir objects/pack
        echo ../../other/objects >objects/info/alternates
        """,
      client: "clone $URL c", expect: "exit 0"),
    FetchScenario(name: "only the list", client: "git_ls $URL", expect: "refs/tags/nested^{}"),
    FetchScenario(
      // With a bitmap, git has nothing to count.
      name: "progress", server: "rm objects/pack/*.bitmap", client: "clone --progress $URL c",
      expect: "remote: Enumerating objects",
      // We look for no new deltas, so there is nothing to compress, and reused entries are counted otherwise. How many
      // bytes came how fast differs from run to run.
      mayDiffer: ["remote: Compressing objects", "remote: Total", "Receiving objects: 100%"]),
  ]

  private static let shallow = [
    FetchScenario(name: "one commit deep", client: "clone --depth 1 $URL c", expect: "shallow "),
    FetchScenario(name: "three commits deep", client: "clone --depth 3 --no-single-branch $URL c", expect: "shallow "),
    FetchScenario(name: "deeper than there is", client: "clone --depth 1000 $URL c", expect: "exit 0"),
    FetchScenario(
      name: "deepened", client: "clone --depth 1 $URL c; cd c; fetch --depth 4 origin; fetch --depth 2 origin",
      expect: "exit 0"),
    FetchScenario(
      name: "deepened by some", client: "clone --depth 2 $URL c; cd c; fetch --deepen 2 origin", expect: "shallow "),
    FetchScenario(
      name: "made whole", client: "clone --depth 2 $URL c; cd c; fetch --unshallow origin", expect: "exit 0"),
    FetchScenario(
      name: "since a time", client: "clone --shallow-since=@1700000600 $URL c", expect: "shallow "),
    FetchScenario(
      name: "since a time after everything", client: "clone --shallow-since=@1900000000 $URL c", expect: "exit 128",
      mayDiffer: ["fatal: no commits selected", "fatal: error processing shallow info"]),
    FetchScenario(
      name: "without a tag's history", client: "clone --shallow-exclude=v1 $URL c", expect: "shallow "),
    FetchScenario(
      name: "without an unknown ref", client: "clone --shallow-exclude=nothing $URL c", expect: "exit 128"),
    FetchScenario(
      name: "a shallow clone that fetches more",
      client: """
        clone --depth 2 $URL c; cd c
        (cd $SERVER && git update-ref refs/heads/main $(git commit-tree main^{tree} -p main -m later </dev/null))
        fetch origin
        """,
      expect: "main       -> origin/main"),
    FetchScenario(
      name: "a shallow server",
      server: "cd .. && mv server.git whole && git clone -q --bare --depth 3 file://$PWD/whole server.git",
      client: "clone $URL c", expect: "shallow "),
  ]

  private static let change = """
    (cd $SERVER && t=$(git rev-parse side^{tree}) && for r in main side; do
      git update-ref refs/heads/$r $(git commit-tree $t -p $r -m "later on $r" </dev/null)
    done && git tag -a -m "later" v2 main && git tag light main)
    """

  private static let incremental = [
    FetchScenario(name: "nothing to do", client: "clone $URL c; cd c; fetch origin", expect: "exit 0"),
    FetchScenario(
      name: "a little more", client: "clone $URL c; cd c; \(change)\nfetch origin", expect: "[new tag]         v2"),
    FetchScenario(
      name: "a little more, without tags", client: "clone $URL c; cd c; \(change)\nfetch --no-tags origin",
      expect: "main       -> origin/main"),
    FetchScenario(
      name: "histories that diverged",
      client: """
        clone $URL c; cd c; \(change)
        for i in 1 2 3 4 5; do git commit -q --allow-empty -m "ours $i"; done
        fetch origin
        """,
      expect: "exit 0"),
    FetchScenario(
      name: "many commits of the client that the server does not know",
      client: """
        clone $URL c; cd c; \(change)
        for i in $(seq 1 80); do
          git update-ref refs/heads/mine$((i % 4)) $(git commit-tree HEAD^{tree} -p HEAD~$((i % 5)) -m "$i" </dev/null)
        done
        fetch origin
        """,
      expect: "exit 0"),
    FetchScenario(
      name: "histories that have nothing in common",
      client: """
        git init -q -b main c; cd c; git commit -q --allow-empty -m own
        fetch $URL 'refs/heads/*:refs/remotes/origin/*'
        """,
      expect: "exit 0"),
    FetchScenario(
      name: "a ref that is gone",
      client: "clone $URL c; cd c; (cd $SERVER && git update-ref -d refs/heads/side); fetch --prune origin",
      expect: "[deleted]"),
    FetchScenario(
      name: "one commit by its tag", client: "git init -q c; cd c; fetch --no-tags $URL refs/tags/nested:refs/tags/n",
      expect: "refs/tags/n"),
    FetchScenario(
      name: "the history before and then the rest",
      client: """
        git init -q -b x c; cd c; fetch $URL refs/heads/old:refs/heads/old; fetch $URL refs/heads/main:refs/heads/main
        """,
      expect: "exit 0"),
    FetchScenario(
      name: "a thin pack over one changed file",
      client: """
        clone $URL c; cd c
        (cd $SERVER && rm -rf ../w && git clone -q . ../w && cd ../w && echo more >>long.txt && git commit -qam more &&
          git push -q origin main && cd $SERVER && git gc -q)
        fetch origin
        """,
      expect: "main       -> origin/main"),
  ]

  private static let odd = [
    FetchScenario(
      name: "no blobs", server: "git config uploadpack.allowFilter true",
      client: "clone --filter=blob:none --no-checkout $URL c", expect: "exit 0"),
    FetchScenario(
      name: "no large blobs", server: "git config uploadpack.allowFilter true",
      client: "clone --filter=blob:limit=1k --no-checkout $URL c", expect: "exit 0"),
    FetchScenario(
      name: "no trees", server: "git config uploadpack.allowFilter true",
      client: "clone --filter=tree:0 --no-checkout $URL c", expect: "exit 0"),
    FetchScenario(
      name: "no blobs, and then they are wanted after all",
      server: "git config uploadpack.allowFilter true; git config uploadpack.allowAnySHA1InWant true",
      client: "clone --filter=blob:none $URL c; cd c; git checkout -q side; echo \"exit $?\"", expect: "exit 0"),
    FetchScenario(
      name: "a filter that is not allowed", client: "clone --filter=blob:none --no-checkout $URL c",
      expect: "filtering not recognized by server, ignoring"),
    FetchScenario(
      name: "hidden refs",
      server: "git config transfer.hideRefs refs/other; git config --add uploadpack.hideRefs refs/tags",
      client: "clone --mirror $URL c", expect: "exit 0"),
    FetchScenario(
      name: "hidden refs with exceptions",
      server: "git config transfer.hideRefs refs/tags; git config --add transfer.hideRefs '!refs/tags/v1'",
      client: "clone --mirror $URL c", expect: "refs/tags/v1"),
    FetchScenario(
      name: "one object by its id", server: "git config uploadpack.allowReachableSHA1InWant true",
      client: "git init -q c; cd c; fetch $URL $(cd $SERVER; git rev-parse main~4):refs/heads/x", expect: "exit 0"),
  ]

  private static let refused = [
    FetchScenario(
      name: "a commit that no ref names",
      client: "git init -q c; cd c; fetch $URL $(cd $SERVER; git rev-parse main~4):refs/heads/x", expect: "exit ",
      mayDiffer: [serversWords]),
    FetchScenario(
      name: "an object that does not exist",
      client: "git init -q c; cd c; fetch $URL 1111111111111111111111111111111111111111:refs/heads/x",
      expect: "exit 1", mayDiffer: [serversWords]),
    FetchScenario(
      name: "a ref that does not exist", client: "git init -q c; cd c; fetch $URL refs/heads/none:refs/heads/x",
      expect: "couldn't find remote ref"),
    FetchScenario(
      name: "no repository", server: "cd ..; rm -rf server.git", client: "clone $URL c", expect: "exit 128"),
    FetchScenario(
      name: "a blob that is missing",
      server: """
        mv objects/pack ../aside; for p in ../aside/*.pack; do git unpack-objects -q <$p; done
        b=$(git rev-parse main:long.txt); rm -f objects/$(echo $b | cut -c1-2)/$(echo $b | cut -c3-)
        """,
      client: "clone $URL c", expect: "exit 128",
      // git names its own program and process; what is common to both is that the client ends with an error.
      mayDiffer: ["error: ", "fatal: ", "remote: ", "error: git upload-pack"]),
    FetchScenario(
      name: "a blob with flipped bits",
      server: """
        git update-ref -d refs/tags/of-blob; p=$(ls objects/pack/*.pack); chmod u+w $p
        for at in $(git verify-pack -v $p | awk '$2 == "blob" { print $5 + 5 }'); do
          printf '\\377\\000\\377' | dd of=$p bs=1 seek=$at conv=notrunc status=none
        done
        """,
      client: "clone $URL c", expect: "exit 128", mayDiffer: ["error: ", "fatal: ", "remote: ", "warning: "]),
  ]
}
