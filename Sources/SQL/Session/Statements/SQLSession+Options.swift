import Columnar

extension SQLSession {
    /// SET: one option, or a list of those that are set.
    func set(_ option: OptionSyntax?, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        guard let option else {
            return ResultTable(
                .successWithContent, [Field("key", .string), Field("value", .string)], options.texts.map { [.string($0.name), .string($0.value)] })
        }
        try placing(option.range, source) { () throws(MillstreamError) in try options.set(option.key, option.value) }
        return .ok(.set)
    }

    func reset(_ key: String?, _ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> ResultTable {
        if let key {
            try placing(range, source) { () throws(MillstreamError) in try options.reset(key) }
        } else {
            try options.resetAll()
        }
        return .ok(.reset)
    }
}
