/// A setting of the environment that cannot be used.
public struct SettingError: Error, Explained, Equatable, CustomStringConvertible {
  public let message: String
  public let nextStep: String?

  public init(_ message: String, next: String?) {
    self.message = message
    nextStep = next
  }

  public var description: String { message + (nextStep.map { "; " + $0 } ?? "") }

  /// The whole number that the variable `name` holds; throws when it holds none, or one outside of the range.
  public static func number(
    _ text: String, of name: String, in range: ClosedRange<Int>
  ) throws(SettingError) -> Int {
    guard let number = Int(text), range.contains(number) else {
      throw SettingError(
        "\(name) is '\(printable(text))', not a number from \(range.lowerBound) to \(range.upperBound)",
        next: "correct it, or leave it out for the default")
    }
    return number
  }
}
