import Glibc
import Linux
import Platform

/// Changes of refs that happen together or not at all, by git's own protocol of lock files, so that git processes beside
/// us neither see half of it nor come between. Not libgit2's (measured with 1.5.1): that one makes `a` beside a packed
/// `a/b`, writes `packed-refs` once for each deleted ref, and is half done when it is killed in between.
struct RefTransaction {
  struct Update {
    var name: [UInt8]
    /// What it must be now: zero, not there. `nil`: anything.
    var old: ObjectID?
    /// Zero: delete.
    var new: ObjectID
    /// Branches hold nothing else.
    var isCommit = true
    /// What a tag leads to in the end; `nil` for everything else.
    var peeled: ObjectID?
  }

  private struct Planned {
    var update: Update
    /// The ref that changes: the one that a symbolic ref leads to.
    var target: [UInt8]
    var current: ObjectID
  }

  let locks: RefLocks
  var lockTimeout: Duration = .milliseconds(100)
  var packedLockTimeout: Duration = .seconds(1)
  /// Lock `packed-refs` only when it is written: for locks that are held for long.
  var locksPackedLate = false
  private(set) var updates: [Update] = []
  private var planned: [Planned] = []
  /// A name and another of the same transaction, of which one is a directory of the other.
  private var clashes: [[UInt8]: [UInt8]] = [:]
  private var names: Set<[UInt8]> = []
  private var directories: Set<[UInt8]> = []
  private var hasPackedLock = false
  /// A failed ``commit(logs:)`` could not be undone: some refs have moved. The next owner finishes it.
  private(set) var isHalfDone = false

  init(_ locks: RefLocks) { self.locks = locks }

  private var refs: RefFiles { locks.refs }

  mutating func add(_ update: Update) { updates.append(update) }

  /// Locks every ref and compares it with what it should be. Throws ``RefFailure``; the locks are then released.
  mutating func prepare() throws {
    do {
      try checkNames()
      for update in updates { planned.append(try plan(update)) }
      for plan in planned where !plan.update.new.isZero { try checkConflicts(plan) }
      if !locksPackedLate { try lockPacked() }
    } catch {
      abort()
      throw error
    }
  }

  /// Adds one update and prepares it; `false` when it cannot be part of this transaction, which goes on without it.
  mutating func admit(_ update: Update) throws -> Bool {
    let slashes = update.name.indices.filter { update.name[$0] == UInt8(ascii: "/") }
    let above = slashes.map { Array(update.name[..<$0]) }
    guard !names.contains(update.name), !directories.contains(update.name), above.allSatisfy({ !names.contains($0) })
    else { return false }
    locks.recent = []
    do {
      let plan = try plan(update)
      if !update.new.isZero { try checkConflicts(plan) }
      planned.append(plan)
    } catch is RefFailure {
      for name in locks.recent { locks.release(name) }
      return false
    }
    updates.append(update)
    names.insert(update.name)
    directories.formUnion(above)
    return true
  }

  /// Makes the changes, durably, and releases the locks. What it changes is prepared.
  mutating func commit(logs: RefLogs?) throws {
    defer { abort() }
    guard !planned.isEmpty else { return }
    try lockPacked()
    let workspace = try locks.directory()
    var journal = RefJournal(form: isBulk ? .packed : .loose, changes: [])
    for (number, plan) in planned.enumerated() {
      let new = plan.update.new
      if !new.isZero, !isBulk {
        try Files.writeSynced("\(new)\n".utf8, to: "\(workspace)/\(number)", mode: 0o666 & ~Self.mask)
      }
      journal.changes.append(
        RefJournal.Change(name: plan.target, new: new, peeled: plan.update.peeled, number: number))
    }
    for plan in planned where !plan.update.new.isZero { try log(plan, logs) }
    do {
      if journal.changes.count > 1 { try journal.write(in: workspace) }
      Checkpoint.reach("push.refs-decided")
      try journal.apply(in: workspace, refs)
    } catch {
      isHalfDone = !undo(in: workspace)
      if isHalfDone, RefJournal.exists(in: workspace) { locks.leaveToReplay() }
      throw error
    }
    unlink("\(workspace)/journal")
    let deleted = planned.filter(\.update.new.isZero).map(\.target)
    let bulk = isBulk ? planned.map(\.target) : []
    abort()
    for name in deleted { logs?.remove(name, in: refs) }
    for name in bulk.isEmpty ? deleted : bulk { refs.removeEmptyParents(of: name) }
  }

  /// Puts back what has moved; `false`: that fails, too. The way back is a journal as well, in the place of the first,
  /// and always of loose refs: what an old value leads to, `packed-refs` would have to say.
  private func undo(in workspace: String) -> Bool {
    do {
      var journal = RefJournal(form: .loose, changes: [])
      for (index, plan) in planned.enumerated() {
        let (old, new) = (plan.current, plan.update.new)
        let value = try refs.value(of: plan.target)
        guard old != new, new.isZero ? value == nil : value == .id(new) else { continue }
        let number = planned.count + index
        if !old.isZero {
          try Files.writeSynced("\(old)\n".utf8, to: "\(workspace)/\(number)", mode: 0o666 & ~Self.mask)
        }
        journal.changes.append(RefJournal.Change(name: plan.target, new: old, number: number))
      }
      if !journal.changes.isEmpty {
        try journal.write(in: workspace)
        try journal.apply(in: workspace, refs)
      }
      unlink("\(workspace)/journal")
      return true
    } catch {
      return false
    }
  }

  /// Many changes become one new `packed-refs`: a file for each would have to reach the disk one by one.
  private var isBulk: Bool { planned.count > 16 }

  private mutating func lockPacked() throws {
    guard !hasPackedLock, isBulk || planned.contains(where: \.update.new.isZero) else { return }
    try acquire(Array("packed-refs".utf8), of: nil, within: packedLockTimeout)
    hasPackedLock = true
  }

  /// Releases the locks.
  func abort() { locks.releaseAll() }

  /// The process's umask. umask(2) could only tell it by changing it, for other threads too.
  private static let mask: UInt32 = {
    let status = (try? Files.text("/proc/self/status")) ?? ""  // without it, the usual one
    let line = status.split(separator: "\n").first { $0.hasPrefix("Umask:") }
    return line.flatMap { UInt32($0.dropFirst(6).drop { $0 == "\t" || $0 == " " }, radix: 8) } ?? 0o022
  }()
}

// MARK: Checks

extension RefTransaction {
  private mutating func checkNames() throws {
    var seen: Set<[UInt8]> = []
    for update in updates where !seen.insert(update.name).inserted {
      throw RefFailure(message: "multiple updates for ref '\(text(update.name))' not allowed")
    }
    let made = Set(updates.filter { !$0.new.isZero }.map(\.name))
    for name in made {
      for slash in name.indices where name[slash] == UInt8(ascii: "/") {
        let above = Array(name[..<slash])
        guard made.contains(above) else { continue }
        clashes[name] = above
        clashes[above] = name
      }
    }
  }

  /// Locks the ref, and the one it leads to, and compares.
  private func plan(_ update: Update) throws -> Planned {
    let name = update.name
    // What cannot be made is not locked either: its directory could be another's ref.
    if !update.new.isZero, let other = try refs.conflict(with: name) { throw exists(other, name) }
    if let other = clashes[name] {
      throw failure(name, "cannot process '\(text(name))' and '\(text(other))' at the same time")
    }
    try acquire(name, of: name, within: lockTimeout)
    var target = name
    for _ in 0..<5 {
      guard case .symbolic(let next) = try refs.value(of: target) else { break }
      guard RefFormat.isValid(next, deleting: true) else {
        throw failure(name, "unable to resolve reference '\(text(name))'")
      }
      target = next
      try acquire(target, of: name, within: lockTimeout)
    }
    if !update.new.isZero, refs.isBlocked(target) {
      let directory = "\(refs.directory)/\(text(target))"
      throw failure(name, "there is a non-empty directory '\(directory)' blocking reference '\(text(target))'")
    }
    let value = try refs.value(of: target)
    var current: ObjectID?
    if case .id(let id) = value { current = id }
    if value == .broken, update.old != nil {
      throw failure(name, "unable to resolve reference '\(text(name))': reference broken")
    }
    try compare(update, current)
    if !update.new.isZero, !update.isCommit, target.starts(with: "refs/heads/".utf8) {
      throw RefFailure(
        message: "cannot update ref '\(text(name))': trying to write non-commit object \(update.new) to branch "
          + "'\(text(name))'")
    }
    return Planned(update: update, target: target, current: current ?? ObjectID([]))
  }

  private func compare(_ update: Update, _ current: ObjectID?) throws {
    guard let old = update.old, old != (current ?? ObjectID([])) else { return }
    if old.isZero { throw failure(update.name, "reference already exists") }
    guard let current else { throw failure(update.name, "unable to resolve reference '\(text(update.name))'") }
    throw failure(update.name, "is at \(current) but expected \(old)")
  }

  /// Again under the locks: somebody may have been faster.
  private func checkConflicts(_ plan: Planned) throws {
    guard plan.current.isZero, let other = try refs.conflict(with: plan.target) else { return }
    throw exists(other, plan.target)
  }

  private func acquire(_ name: [UInt8], of ref: [UInt8]?, within limit: Duration) throws {
    do {
      try locks.acquire(name, within: limit)
    } catch let error as RefFailure {
      throw ref.map { failure($0, error.message) } ?? error
    }
  }

  private func exists(_ other: [UInt8], _ name: [UInt8]) -> RefFailure {
    failure(name, "'\(text(other))' exists; cannot create '\(text(name))'")
  }

  private func failure(_ name: [UInt8], _ reason: String) -> RefFailure {
    RefFailure(message: "cannot lock ref '\(text(name))': \(reason)")
  }

  private func text(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }

  /// The ref's log, and HEAD's when HEAD leads to it.
  private func log(_ plan: Planned, _ logs: RefLogs?) throws {
    guard let logs else { return }
    try logs.append(plan.target, old: plan.current, new: plan.update.new, in: refs)
    if plan.target != plan.update.name {
      try logs.append(plan.update.name, old: plan.current, new: plan.update.new, in: refs)
    }
    let head = Array("HEAD".utf8)
    if try refs.value(of: head) == .symbolic(plan.target) {
      try logs.append(head, old: plan.current, new: plan.update.new, in: refs)
    }
  }

  /// What the reference-transaction hook reads (githooks(5)).
  func hookLines() throws -> [UInt8] {
    var lines: [UInt8] = []
    var head: [UInt8] = []
    let symbolic = try refs.value(of: Array("HEAD".utf8))
    for plan in planned {
      let line = Array("\(plan.update.old ?? ObjectID([])) \(plan.update.new) ".utf8)
      lines += line + plan.update.name + [10]
      if plan.target != plan.update.name { lines += line + plan.target + [10] }
      if symbolic == .symbolic(plan.target), !plan.update.new.isZero { head += line + Array("HEAD\n".utf8) }
    }
    return lines + head
  }
}
