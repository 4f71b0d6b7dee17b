import Columnar
import Synchronization

/// The memory that all states may take which can also lie in a store. Each of them has a fair part of it, and as much more as the others leave.
///
/// From any thread.
public final class StateMemory: Sendable {
    public let byteCountMax: Int
    private let used = Guarded(Used())

    private struct Used {
        var byteCount = 0
        var shareCount = 0
    }

    public init(byteCountMax: Int) { self.byteCountMax = max(0, byteCountMax) }

    private struct Weak {
        weak var memory: StateMemory?
    }
    private static let all = Guarded<[Weak]>([])

    /// The one of this size that all jobs of the process share.
    public static func ofProcess(byteCountMax: Int) -> StateMemory {
        all.withLock { all in
            all.removeAll { $0.memory == nil }
            for known in all { if let memory = known.memory, memory.byteCountMax == byteCountMax { return memory } }
            let made = StateMemory(byteCountMax: byteCountMax)
            all.append(Weak(memory: made))
            return made
        }
    }

    /// What one state takes. One thread at a time.
    public final class Share {
        private let memory: StateMemory
        private var byteCount = 0

        fileprivate init(_ memory: StateMemory) {
            self.memory = memory
            memory.used.withLock { $0.shareCount += 1 }
        }

        deinit {
            memory.used.withLock {
                $0.shareCount -= 1
                $0.byteCount -= byteCount
            }
        }

        /// Says how much the state takes now. How much of it has to go: nothing while all states together have room, and no more than it has above its fair part.
        public func update(_ newByteCount: Int) -> Int {
            let limit = memory.byteCountMax
            return memory.used.withLock {
                $0.byteCount += newByteCount - byteCount
                byteCount = newByteCount
                return min(max(0, $0.byteCount - limit), max(0, newByteCount - limit / max(1, $0.shareCount)))
            }
        }
    }

    public func share() -> Share { Share(self) }
}

/// How an operator keeps state in a store: what is in memory, and what a checkpoint has.
public struct StatePaging: Sendable {
    public var memory: StateMemory
    /// Writes the values of a host; nil where they cannot be written, and keys and values of type OBJECT stay in memory.
    public var objects: (any ObjectCoding)?
    /// Checkpoints have the stores' files; else, as savepoints do, typed columns.
    public var isIncremental: Bool
    /// Tells the user, in one line, of a state that stays in memory.
    public var warn: @Sendable (String) -> Void

    public init(
        memory: StateMemory, objects: (any ObjectCoding)? = nil, isIncremental: Bool = false, warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.memory = memory
        self.objects = objects
        self.isIncremental = isIncremental
        self.warn = warn
    }
}
