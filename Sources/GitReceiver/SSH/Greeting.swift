import Platform

/// What a session without a command prints: who you are, and what you can do here.
enum Greeting {
  static func text(for account: Account, terminal: Bool) -> String {
    let text = """
      Hello \(printable(account.email)), your key works. There is no shell here; there are commands:

        git push ssh://paas@HOST/APP.git main   deploy an app
        apps, apps:create NAME, apps:destroy    your apps
        ps, ps:scale web=2, ps:restart          its processes
        config, config:set KEY=VALUE            its config vars
        releases, rollback [vN]                 its releases
        domains, domains:add HOST               its names
        logs [-t]                               what it says
        run -- COMMAND                          one process in its environment
        keys, keys:add                          your keys
        help                                    everything else

      For example: ssh -p PORT paas@HOST releases -a APP

      """
    return terminal ? text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n") : text
  }
}
