internal import Platform

/// What becomes of a build, decided from what the worker left and why it was ended. What came out of the sandbox is
/// checked here.
struct Verdict {
  let request: BuildRequest
  let ended: RunningBuilds.Reason?

  /// Keeps the slug of a build that went well; throws ``Platform/DeployFailure`` otherwise, and drops the slug.
  func result(of yield: Yield) throws -> BuildResult {
    do {
      if let early = endedEarly(yield) { throw early }
      if case .failure(let failure as DeployFailure) = yield.slug { throw failure }
      // Why it could not be read does not matter: `noSummary` judges by how the worker ended.
      guard let summary = try? yield.summary.get() else { throw noSummary(yield) }
      if let failure = summary.failure { throw checked(failure, yield) }
      guard yield.status == 0 else { throw noSummary(yield) }
      let file = try yield.slug.get()
      guard file.slug.size == summary.slugBytes else {
        throw DeployFailure(.slug, .platformError, "slug arrived incomplete", next: "push again")
      }
      let types = try processTypes(summary)
      let slug = try file.keep(in: request.slugDirectory)
      return BuildResult(
        slug: slug, stack: .host, processTypes: types, buildpack: printable(summary.buildpack ?? "unknown"))
    } catch {
      if case .success(let file) = yield.slug { file.discard() }
      throw error
    }
  }

  private func endedEarly(_ yield: Yield) -> DeployFailure? {
    switch ended {
    case .cancelled: DeployFailure(.build, .cancelled, "build was cancelled", next: "push again to build again")
    case .timeout:
      DeployFailure(
        .build, .buildTimeout, "build ran longer than \(request.timeout.components.seconds) s",
        evidence: yield.lastLines, next: "see in the last lines what takes so long")
    case nil: nil
    }
  }

  private func noSummary(_ yield: Yield) -> DeployFailure {
    if yield.status == 137 {
      return DeployFailure(
        .build, .buildFailed, "build was killed (signal 9), perhaps for want of memory", evidence: yield.lastLines,
        next: "let the build use less memory, and push again")
    }
    return DeployFailure(
      .build, .platformError, "build worker ended with status \(yield.status) and no summary",
      evidence: yield.complaints, next: "look at the server's log")
  }

  /// A failure told by the worker: only codes that a worker can know, and no more text than a line.
  private func checked(_ failure: DeployFailure, _ yield: Yield) -> DeployFailure {
    let known: Set<FailureCode> = [.noBuildpack, .buildFailed, .sourceRefused, .badProcfile, .platformError]
    return DeployFailure(
      failure.phase, known.contains(failure.code) ? failure.code : .platformError, line(failure.message),
      evidence: failure.code == .buildFailed ? yield.lastLines : [], next: failure.nextStep.map(line))
  }

  private func line(_ text: String) -> String {
    let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) }
    return String(text.unicodeScalars.prefix(500).map { isControl($0) ? " " : Character($0) })
  }

  private func processTypes(_ summary: WorkerSummary) throws -> ProcessTypes {
    guard summary.processTypes.count <= 50 else {
      throw DeployFailure(.build, .badProcfile, "app has more than 50 process types", next: "remove some")
    }
    var types: ProcessTypes = [:]
    for (name, command) in summary.processTypes where !command.isEmpty && !command.utf8.contains(0) {
      types[try ProcessType(name)] = command
    }
    return types
  }
}
