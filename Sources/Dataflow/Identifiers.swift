import Columnar

/// An operator's identity in a job: the user's uid where given, else a number that follows from the graph.
///
/// State in a savepoint is matched by this text, so it is stable across builds of the same program.
public struct OperatorID: Hashable, Sendable, CustomStringConvertible {
    public let text: String
    public init(_ text: String) { self.text = text }
    public var description: String { text }
}

/// One of the parallel instances of an operator, `0 ..< parallelism`.
public struct SubtaskIndex: Hashable, Comparable, Sendable {
    public let value: Int
    public init(_ value: Int) { self.value = value }
    public static func < (left: SubtaskIndex, right: SubtaskIndex) -> Bool { left.value < right.value }
}

/// The name of a side output; two tags with the same name are the same output, as in Flink.
public struct SideOutputID: Hashable, Sendable, CustomStringConvertible {
    public let name: String
    public init(_ name: String) { self.name = name }
    public var description: String { name }
}

/// The number of a checkpoint, ascending from 1 within a job.
public struct CheckpointID: Hashable, Comparable, Sendable {
    public let value: Int64
    public init(_ value: Int64) { self.value = value }
    public static func < (left: CheckpointID, right: CheckpointID) -> Bool { left.value < right.value }
}

/// A point in processing time: milliseconds since the epoch, as the job's clock tells it.
public struct ProcessingTime: Hashable, Comparable, Sendable {
    public let milliseconds: Int64
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public static func < (left: ProcessingTime, right: ProcessingTime) -> Bool { left.milliseconds < right.milliseconds }

    /// Saturating: a timer far in the future stays there.
    public static func + (left: ProcessingTime, milliseconds: Int64) -> ProcessingTime {
        ProcessingTime(milliseconds: left.milliseconds.addingSaturating(milliseconds))
    }
}
