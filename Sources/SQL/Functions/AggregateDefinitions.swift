import Columnar
import Plan

struct AggregateDefinition: Sendable {
    var isOverOnly = false
}

/// The built-in aggregate functions by name.
enum AggregateDefinitions {
    static let all: [String: AggregateDefinition] = [:]
    static let names: [String] = all.keys.sorted()
}
