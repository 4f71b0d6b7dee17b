import Columnar
import Expressions

/// Modules: sets of functions. There is one, `core`, with all built-in functions.
public struct ModuleList: Hashable, Sendable {
    public static let core = "core"
    private static let known = [core]

    /// In the order in which they were loaded.
    public private(set) var loaded = [core]
    /// Those whose functions are found, in the order in which they are looked in.
    public private(set) var used = [core]

    /// Whether the built-in functions are found.
    public var isCoreUsed: Bool { used.contains(Self.core) }

    mutating func load(_ name: Identifier, _ options: [OptionSyntax], _ source: SourceText) throws(MillstreamError) {
        guard Self.known.contains(name.text) else {
            throw source.error(
                "there is no module '\(name.text)'", at: name.range, hint: NearestName.hint(name.text, among: Self.known) ?? "Modules: core.")
        }
        if let option = options.first { throw source.error("the module '\(name.text)' has no option '\(option.key)'", at: option.range) }
        guard !loaded.contains(name.text) else { throw source.error("the module '\(name.text)' is loaded", at: name.range) }
        loaded.append(name.text)
        used.append(name.text)
    }

    mutating func unload(_ name: Identifier, _ source: SourceText) throws(MillstreamError) {
        guard loaded.contains(name.text) else { throw notLoaded(name, source) }
        loaded.removeAll { $0 == name.text }
        used.removeAll { $0 == name.text }
    }

    mutating func use(_ names: [Identifier], _ source: SourceText) throws(MillstreamError) {
        var next: [String] = []
        for name in names {
            guard loaded.contains(name.text) else { throw notLoaded(name, source) }
            guard !next.contains(name.text) else { throw source.error("the module '\(name.text)' is named twice", at: name.range) }
            next.append(name.text)
        }
        used = next
    }

    private func notLoaded(_ name: Identifier, _ source: SourceText) -> MillstreamError {
        source.error(
            "no module '\(name.text)' is loaded", at: name.range,
            hint: NearestName.hint(name.text, among: loaded) ?? (loaded.isEmpty ? "LOAD MODULE core." : "Loaded: \(loaded.joined(separator: ", "))."))
    }
}
