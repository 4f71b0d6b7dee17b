import Dataflow

/// Decides which subtask runs next, and when a sleeping one wakes.
///
/// Real and simulated twins: `WorkerPool` and `SimulatedScheduler`. Both call `Subtask.run`; never one subtask twice at once.
protocol Scheduler: AnyObject, Sendable {
    /// The subtask can run.
    func enqueue(_ subtask: Subtask)
    /// The subtask sleeps; it wants to run at this monotonic time unless it is woken before.
    func schedule(_ subtask: Subtask, at nanoseconds: Int64)
    /// The subtask has ended: what was scheduled for it is dropped, and with it all that the subtask holds.
    func forget(_ subtask: Subtask)
    /// The bound on messages that one call of `Subtask.run` handles.
    func quantum() -> Int
}
