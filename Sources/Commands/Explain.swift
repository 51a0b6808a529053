import ArgumentParser
import Platform

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Say what a code means and what to do; without one, list all codes.")

  @Argument(help: "For example H10 or B02.") var code: String?

  @Flag(help: ArgumentHelp("Print docs/codes.md.", visibility: .hidden)) var page = false

  func run() throws {
    if page { return Console.out(CodeText.page) }
    guard let code else {
      return Console.out(Layout.titled("Codes", Layout.columns(CodeText.all.map { [$0.code, $0.title] })))
    }
    guard let text = CodeText.all.first(where: { $0.code == code.uppercased() }) else {
      throw CommandError(.notFound, "there is no code '\(printable(code))'", next: "`paas explain` lists all")
    }
    Console.out(text.shown)
  }
}
