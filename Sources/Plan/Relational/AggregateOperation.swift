import Columnar

/// The aggregations of tables: their rows say what they do to a table (`Batch.rowKinds`), and NULL is a key like others. Pure data.
public enum AggregateOperation: Hashable, Sendable {
    case group(GroupAggregateDescription)
    case window(WindowAggregateDescription)
    /// Each row in its windows, whose bounds (`window_start`, `window_end`, `window_time`) are columns behind its own.
    case windowTable(WindowTable)
    case over(OverDescription)

    /// By what the input is keyed: the rows of a key come to one subtask. Nil: rows may come anywhere; no columns: all come to the one subtask there is.
    public var keys: [Int]? {
        switch self {
        case .group(let group): group.keys
        case .window(let window): window.keys
        case .over(let over): over.windows.first?.partitionBy ?? []
        case .windowTable(let window):
            if case .session(_, let keys) = window.shape { keys } else { nil }
        }
    }
}
