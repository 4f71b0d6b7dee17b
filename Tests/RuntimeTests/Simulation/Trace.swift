import Glibc
import Runtime

/// Prints what a replayed seed does: with `MILLSTREAM_TRACE=n` how the job is at each n-th choice.
struct Trace {
    let step: Int

    static let ofProcess: Trace? = getenv("MILLSTREAM_TRACE").flatMap { Int(String(cString: $0)) }.map { Trace(step: max(1, $0)) }

    func begin(run: UInt64, _ end: String, _ job: DrawnJob) {
        print("run \(run), \(end), \(job.mode), \(job.step), \(job.faults.map { "\($0)" }.sorted())\n\(job.plan.configuration)")
        for node in job.plan.nodes {
            print("  \(node.id.value) '\(node.name)' x \(node.parallelism ?? -1) of \(node.inputs.map { "\($0.source.value) \($0.partitioning)" })")
        }
    }

    func note(_ tick: Int, _ engine: SimulatedEngine, _ job: Job) {
        guard tick % step == 0 else { return }
        let checkpoints = job.checkpoints.suffix(4).map { "\($0.id.value)\($0.isSavepoint ? " savepoint" : "")\($0.isUnaligned ? " unaligned" : "") in \($0.milliseconds) ms \($0.outcome)" }
        print("choice \(tick) at \(engine.clock.monotonicNanoseconds() / 1_000_000) ms: \(job.status), \(checkpoints), \(job.failures.suffix(2).map(\.error.message))")
        print(job.explainTime().text)
    }
}
