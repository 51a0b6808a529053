import Linux
import Platform
import Testing

@testable import Buildpacks

@Suite("The example", .tags(.sandbox), .enabled("no sandbox here") { await SandboxAvailability.current() })
struct ExampleTests {
  private struct Built {
    var result: BuildResult
    var printed: String
    var time: Duration
  }

  let bench: BuildBench

  init() async throws { bench = try await BuildBench() }

  private func build(_ tar: String) async throws -> Built {
    let printed = Printed()
    let start = ContinuousClock.now
    do {
      let result = try await bench.builder().build(bench.request(tar: tar), output: printed.add)
      return Built(result: result, printed: printed.text, time: .now - start)
    } catch {
      Issue.record("\(printed.text)\n\(error)")
      throw error
    }
  }

  private func report(_ name: String, _ first: Built, _ second: Built) {
    print("build times of \(name): first \(first.time), unchanged \(second.time), slug \(first.result.slug.size) bytes")
  }

  @Test("in Python is built, built again from its cache into the same slug, and served")
  func python() async throws {
    let tar = try bench.tar(example: "python")
    let first = try await build(tar)
    #expect(first.result.buildpack == "Python")
    #expect(first.printed.hasPrefix("-----> Python app detected\n       Using Python 3."))
    #expect(first.printed.contains("-----> Installing dependencies with pip\n"))
    let second = try await build(tar)
    #expect(second.printed.contains("       requirements.txt unchanged, 9 packages reused\n"))
    #expect(second.result.slug == first.result.slug)
    report("examples/python", first, second)

    let page = try await bench.page(of: first.result, environment: ["GREETING": "Ahoj", "PAAS_RELEASE_VERSION": "v3"])
    #expect(page.contains("Ahoj from Python\nrelease: v3\nversion: 1\n"))
  }

  @Test("in Python is the same slug from a cold cache")
  func pythonCold() async throws {
    let tar = try bench.tar(example: "python")
    let first = try await build(tar)
    try Files.removeTree("\(bench.path)/cache")
    let second = try await build(tar)
    #expect(!second.printed.contains("reused"))
    #expect(second.result.slug == first.result.slug)
  }

  @Test("in Node is built without npm and served")
  func node() async throws {
    let tar = try bench.tar(example: "node")
    let first = try await build(tar)
    #expect(first.result.buildpack == "Node.js")
    #expect(first.printed.contains("       package.json names no dependencies\n"))
    let second = try await build(tar)
    #expect(second.result.slug == first.result.slug)
    report("examples/node", first, second)
    let page = try await bench.page(of: first.result, environment: [:])
    #expect(page.contains("Hello from Node.js\nrelease: none\nversion: 1\n"))
  }

  @Test("in Ruby is built from the machine's gems and served")
  func ruby() async throws {
    let tar = try bench.tar(example: "ruby")
    let first = try await build(tar)
    #expect(first.result.buildpack == "Ruby")
    let second = try await build(tar)
    #expect(second.result.slug == first.result.slug)
    report("examples/ruby", first, second)
    let page = try await bench.page(of: first.result, environment: ["GREETING": "Salve"])
    #expect(page.contains("Salve from Ruby\nrelease: none\nversion: 1\n"))
  }

  @Test(
    "without its Procfile runs what bin/release says",
    arguments: [
      ("node", "node server.js"), ("ruby", "rackup --host 0.0.0.0 --port $PORT"),
    ])
  func defaults(name: String, command: String) async throws {
    let tar = try bench.tar([
      name == "node" ? "package.json" : "Gemfile": name == "node" ? #"{"scripts":{"start":"node server.js"}}"# : "",
      name == "node" ? "server.js" : "config.ru": "",
    ])
    let built = try await build(tar)
    #expect(built.result.processTypes == [.web: command])
    #expect(built.printed.contains("       Default types for buildpack -> web\n"))
  }
}
