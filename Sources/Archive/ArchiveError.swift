internal import CArchive
public import Linux
public import Platform

/// Why an archive was not written or not unpacked.
public enum ArchiveError: Error, Explained, Equatable {
  /// libarchive refused a call; `reason` is its own text.
  case library(action: String, reason: String)
  /// A system call failed while the tree was read or written.
  case system(SystemError)
  /// An entry that could leave the directory, or is no file, directory or link.
  case entryRefused(path: String, reason: String)
  /// The archive holds more entries than the limit.
  case tooManyEntries(limit: Int)
  /// The files together are larger than the limit, in bytes.
  case tooLarge(limit: Int64)
  /// The writer was given more or fewer bytes than the file's announced size.
  case sizeMismatch(path: String, announced: Int64, written: Int64)

  public var message: String {
    switch self {
    case .library(let action, let reason): "cannot \(action): \(reason)"
    case .system(let error): error.message
    case .entryRefused(let path, let reason): "entry '\(path)' \(reason)"
    case .tooManyEntries(let limit): "archive holds more than \(limit) entries"
    case .tooLarge(let limit): "archive unpacks to more than \(limit >> 20) MiB"
    case .sizeMismatch(let path, let announced, let written):
      "file '\(path)' was announced with \(announced) bytes and has \(written)"
    }
  }

  public var nextStep: String? {
    switch self {
    case .entryRefused: "remove or replace this entry and try again"
    case .tooManyEntries, .tooLarge: "remove files the app does not need"
    case .library, .system, .sizeMismatch: nil
    }
  }

  /// True when the archive itself is at fault, not this machine.
  public var isCausedByArchive: Bool {
    switch self {
    case .system, .sizeMismatch: false
    case .library, .entryRefused, .tooManyEntries, .tooLarge: true
    }
  }
}

/// A path's bytes as text that can be shown.
func shown(_ path: some Sequence<UInt8>) -> String { printable(String(decoding: Array(path), as: UTF8.self)) }

/// Runs a libarchive call for which only ARCHIVE_OK will do; reads and clears the library's error otherwise.
func archived(
  _ handle: OpaquePointer, _ action: @autoclosure () -> String, _ call: () -> Int32
) throws(ArchiveError) {
  let status = call()
  if status != ARCHIVE_OK { throw libraryError(handle, action(), status) }
}

func libraryError(_ handle: OpaquePointer, _ action: String, _ status: Int32) -> ArchiveError {
  let text = archive_error_string(handle).map { String(cString: $0) } ?? "unknown reason"
  archive_clear_error(handle)
  return .library(action: action, reason: "\(text) (libarchive \(status))")
}
