/// What went wrong, where, and what to do about it: the one error type of every room.
///
/// An error that began in a host language's function carries the host's own exception, so that the user gets it back as it was thrown.
public struct MillstreamError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure. Raw values are part of the C ABI (`millstream_status`) and never change.
    public enum Code: Int32, Sendable {
        /// An argument of a call is wrong: NULL, out of range, of the wrong kind.
        case invalidArgument = 1
        /// A handle is stale, freed, or of another type.
        case invalidHandle = 2
        /// The call does not fit the object's state: after close, twice, before open.
        case invalidState = 3
        /// A configuration value is refused: parallelism 0, unknown option, contradiction.
        case configuration = 4
        /// The job graph is refused: no operators, duplicate uid, types that do not fit.
        case plan = 5
        /// A value does not have its declared type, or a schema differs from the one expected.
        case typeMismatch = 6
        /// Bytes that do not decode: CSV, JSON, UTF-8, Arrow.
        case decode = 7
        /// A file, socket or directory refused: missing, unreadable, full.
        case io = 8
        /// A host function failed; `hostException` holds its exception.
        case userFunction = 9
        /// A record has a null or otherwise unusable key.
        case key = 10
        /// A record has no usable event time.
        case eventTime = 11
        /// The job was cancelled.
        case cancelled = 12
        /// A bound was reached: memory, rows, nesting.
        case limitExceeded = 13
        /// Arithmetic on data: overflow where it is an error, division by zero.
        case arithmetic = 14
        /// The feature is not built for this case; the message says what is.
        case unsupported = 15
        /// A mistake of Millstream's own.
        case `internal` = 16
        /// Nobody knows whether prepared results became visible in a sink's target; they are kept, and no restart tries again by itself.
        case commitUnknown = 17
    }

    /// Who can mend it.
    public enum Domain: Sendable {
        /// The user's program or data.
        case user
        /// The world outside: disk, network, another system.
        case external
        /// Millstream.
        case `internal`
    }

    public var code: Code
    public var domain: Domain
    public var isRetryable: Bool
    /// One sentence, without a final line break.
    public var message: String
    /// What the user can do, if there is something.
    public var hint: String?
    /// The name of the operator it happened in.
    public var operatorName: String?
    /// The index of the record within the operator's input so far (0-based), where known.
    public var recordIndex: Int64?
    /// The exception of a host function.
    public var hostException: HostException?
    /// The file of a checkpoint that is damaged or not there.
    public var damagedFile: String?
    /// What failed in the clean-up after this; nothing that explains it. At most `suppressedCountMax`.
    public private(set) var suppressed: [MillstreamError] = []

    /// Bounds what a job with many subtasks keeps of failures that all say the same.
    public static let suppressedCountMax = 16

    public init(
        _ code: Code, _ message: String, hint: String? = nil, domain: Domain = .user, isRetryable: Bool = false,
        operatorName: String? = nil, recordIndex: Int64? = nil, hostException: HostException? = nil
    ) {
        self.code = code
        self.domain = domain
        self.isRetryable = isRetryable
        self.message = message
        self.hint = hint
        self.operatorName = operatorName
        self.recordIndex = recordIndex
        self.hostException = hostException
    }

    /// An error of Millstream's own: an invariant that does not hold.
    public static func `internal`(_ message: String) -> MillstreamError {
        MillstreamError(.internal, message, hint: "This is a mistake in Millstream; please report it.", domain: .internal)
    }

    /// A row without a key, wherever that is found: before an exchange, or in an operator that no exchange stands before.
    public static func nullKey(recordIndex: Int64) -> MillstreamError {
        MillstreamError(
            .key, "the key of a record is null", hint: "Filter such records out before key_by, or give them a key of their own.", recordIndex: recordIndex)
    }

    /// The same error, with the operator's name where none is known yet.
    public func inOperator(_ name: String) -> MillstreamError {
        guard operatorName == nil else { return self }
        var copy = self
        copy.operatorName = name
        return copy
    }

    /// Attaches a failure that came later, and whatever is attached to that one.
    public mutating func suppress(_ later: MillstreamError) {
        var alone = later
        alone.suppressed = []
        for failure in [alone] + later.suppressed where suppressed.count < Self.suppressedCountMax { suppressed.append(failure) }
    }

    public var description: String {
        var text = message
        if let operatorName { text += " [operator: \(operatorName)]" }
        if let recordIndex { text += " [record: \(recordIndex)]" }
        if let hint { text += "\n  hint: \(hint)" }
        for later in suppressed { text += "\n  suppressed: \(later.message)" }
        return text
    }
}

/// A retained exception object of the host language, opaque to the engine.
///
/// The host gives a `release` function; it is called once, from any thread.
public final class HostException: @unchecked Sendable {
    public let handle: UnsafeMutableRawPointer
    private let release: @convention(c) (UnsafeMutableRawPointer?) -> Void

    public init(handle: UnsafeMutableRawPointer, release: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Void) {
        self.handle = handle
        self.release = release
    }

    deinit { release(handle) }
}
