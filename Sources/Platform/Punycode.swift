/// The Bootstring encoding with the parameters of RFC 3492 section 5, for labels of internationalized domain names.
enum Punycode {
  private static let (base, tMin, tMax, skew, damp): (UInt32, UInt32, UInt32, UInt32, UInt32) = (36, 1, 26, 38, 700)
  private static let (initialBias, initialN): (UInt32, UInt32) = (72, 0x80)
  /// More than any label can hold (63 bytes), and few enough that the loops below stay short.
  private static let limit = 256

  /// RFC 3492 section 6.3, without the `xn--`; `nil` for a label that is too long to be one.
  static func encode(_ label: String) -> String? {
    let scalars = Array(label.unicodeScalars.map(\.value))
    guard scalars.count <= limit else { return nil }
    var output = scalars.filter { $0 < initialN }.map { UInt8(truncatingIfNeeded: $0) }
    let basic = UInt32(output.count)
    if basic > 0 { output.append(UInt8(ascii: "-")) }
    var (n, delta, bias, handled) = (initialN, UInt32(0), initialBias, basic)
    while handled < scalars.count {
      guard let next = scalars.filter({ $0 >= n }).min() else { return nil }
      let (step, over) = (next - n).multipliedReportingOverflow(by: handled + 1)
      let (sum, overSum) = delta.addingReportingOverflow(step)
      if over || overSum { return nil }
      (delta, n) = (sum, next)
      for scalar in scalars {
        if scalar < n {
          let (more, over) = delta.addingReportingOverflow(1)
          if over { return nil }
          delta = more
        }
        guard scalar == n else { continue }
        output += digits(of: delta, bias: bias)
        bias = adapt(delta, points: handled + 1, isFirst: handled == basic)
        delta = 0
        handled += 1
      }
      guard delta < UInt32.max, n < UInt32.max else { return nil }
      delta += 1
      n += 1
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// RFC 3492 section 6.2; `nil` for what is no encoding.
  static func decode(_ text: String) -> String? {
    let bytes = Array(text.utf8)
    guard bytes.count <= limit, bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
    let delimiter = bytes.lastIndex(of: UInt8(ascii: "-"))
    var output = bytes[..<(delimiter ?? 0)].map { UInt32($0) }
    var rest = bytes[(delimiter.map { $0 + 1 } ?? 0)...]
    var (n, index, bias) = (initialN, UInt32(0), initialBias)
    while !rest.isEmpty {
      let before = index
      guard let delta = number(&rest, bias: bias) else { return nil }
      let (sum, over) = index.addingReportingOverflow(delta)
      if over { return nil }
      let points = UInt32(output.count) + 1
      bias = adapt(sum - before, points: points, isFirst: before == 0)
      let (next, overN) = n.addingReportingOverflow(sum / points)
      guard !overN, Unicode.Scalar(next) != nil else { return nil }
      n = next
      index = sum % points
      output.insert(n, at: Int(index))
      index += 1
    }
    var scalars = String.UnicodeScalarView()
    for value in output {
      guard let scalar = Unicode.Scalar(value) else { return nil }
      scalars.append(scalar)
    }
    return String(scalars)
  }

  /// A generalized variable-length integer (section 3.3).
  private static func digits(of value: UInt32, bias: UInt32) -> [UInt8] {
    var (rest, result, k) = (value, [UInt8](), base)
    while true {
      let threshold = bound(k, bias)
      if rest < threshold { return result + [digit(rest)] }
      result.append(digit(threshold + (rest - threshold) % (base - threshold)))
      rest = (rest - threshold) / (base - threshold)
      k += base
    }
  }

  private static func number(_ bytes: inout ArraySlice<UInt8>, bias: UInt32) -> UInt32? {
    var (value, weight, k) = (UInt32(0), UInt32(1), base)
    while true {
      guard let byte = bytes.popFirst(), let digit = digitValue(byte) else { return nil }
      let (part, over) = digit.multipliedReportingOverflow(by: weight)
      let (sum, overSum) = value.addingReportingOverflow(part)
      if over || overSum { return nil }
      value = sum
      let threshold = bound(k, bias)
      if digit < threshold { return value }
      let (heavier, overWeight) = weight.multipliedReportingOverflow(by: base - threshold)
      if overWeight { return nil }
      weight = heavier
      k += base
    }
  }

  private static func bound(_ k: UInt32, _ bias: UInt32) -> UInt32 {
    k <= bias ? tMin : min(tMax, max(tMin, k - bias))
  }

  /// Section 6.1.
  private static func adapt(_ delta: UInt32, points: UInt32, isFirst: Bool) -> UInt32 {
    var delta = isFirst ? delta / damp : delta / 2
    delta += delta / points
    var k: UInt32 = 0
    while delta > (base - tMin) * tMax / 2 {
      delta /= base - tMin
      k += base
    }
    return k + (base - tMin + 1) * delta / (delta + skew)
  }

  private static func digit(_ value: UInt32) -> UInt8 {
    UInt8(truncatingIfNeeded: value < 26 ? value + 97 : value + 22)
  }

  private static func digitValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 48...57: UInt32(byte) - 22
    case 65...90: UInt32(byte) - 65
    case 97...122: UInt32(byte) - 97
    default: nil
    }
  }
}
