import Glibc
public import Platform

/// A system call that failed: what was tried, on what, and the kernel's reason.
public struct SystemError: Error, Explained, CustomStringConvertible, Equatable {
  /// `open '/var/lib/paas/paas.db'`
  public let action: String
  /// `errno`
  public let number: Int32

  /// Without a number: the calling thread's `errno`.
  public init(_ action: String, _ number: Int32? = nil) {
    self.number = number ?? errno
    self.action = action
  }

  public var message: String { "cannot \(action): \(String(cString: strerror(number)).lowercasedFirst)" }
  public var nextStep: String? { nil }
  public var description: String { message }
}

extension String {
  fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}

/// Runs a call that answers -1 and `errno`; retries EINTR. Returns its value, throws ``SystemError``.
@discardableResult
public func checked<Value: SignedInteger>(_ action: @autoclosure () -> String, _ call: () -> Value) throws(SystemError)
  -> Value
{
  while true {
    let value = call()
    if value >= 0 { return value }
    let number = errno
    if number != EINTR { throw SystemError(action(), number) }
  }
}

/// Runs a call of CLinux, which answers `-errno`.
@discardableResult
public func checkedNegative(_ action: @autoclosure () -> String, _ call: () -> Int32) throws(SystemError) -> Int32 {
  let value = call()
  if value < 0 { throw SystemError(action(), -value) }
  return value
}
