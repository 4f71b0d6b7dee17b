import Columnar

/// Casts of constants that cannot fail and lose nothing, done while binding.
enum ConstantCasts {
    /// nil: it is left to the run.
    static func cast(_ value: Scalar, _ source: DataType, to target: DataType) -> Scalar? {
        if value == .null { return .null }
        switch (value, target.kind) {
        case (.int64(let number), .tinyInt) where source.isInteger: return Int8(exactly: number).map { .int64(Int64($0)) }
        case (.int64(let number), .smallInt) where source.isInteger: return Int16(exactly: number).map { .int64(Int64($0)) }
        case (.int64(let number), .int) where source.isInteger: return Int32(exactly: number).map { .int64(Int64($0)) }
        case (.int64, .bigInt) where source.isInteger: return value
        case (.int64(let number), .double) where source.isInteger: return .double(Double(number))
        case (.int64(let number), .decimal(let precision, let scale)) where source.isInteger:
            return Decimals.scaled(Int128(number), by: scale, digits: precision).map { .decimal($0) }
        case (.decimal(let number), .decimal(let precision, let scale)):
            guard case .decimal(_, let given) = source.kind, scale >= given else { return nil }
            return Decimals.scaled(number, by: scale - given, digits: precision).map { .decimal($0) }
        case (.decimal(let number), .double):
            // By its digits, so that the number is the nearest one.
            guard case .decimal(_, let given) = source.kind else { return nil }
            return Double("\(number)e-\(given)").map { .double($0) }
        case (.bytes(let bytes), .varChar(let length)) where source.isText:
            return bytes.count <= length ? value : nil
        case (.bytes(let bytes), .varBinary(let length)) where source.isBytes:
            return bytes.count <= length ? value : nil
        default: return nil
        }
    }

    private enum Decimals {
        /// Times 10 to the power; nil where that has more digits.
        static func scaled(_ value: Int128, by exponent: Int, digits: Int) -> Int128? {
            var result = value
            for _ in 0..<max(0, exponent) {
                let (product, overflows) = result.multipliedReportingOverflow(by: 10)
                if overflows { return nil }
                result = product
            }
            var limit: Int128 = 1
            for _ in 0..<max(0, min(38, digits)) { limit *= 10 }
            return result < limit && result > -limit ? result : nil
        }
    }
}
