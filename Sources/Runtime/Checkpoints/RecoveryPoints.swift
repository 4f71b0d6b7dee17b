import Checkpoint
import Columnar
import Dataflow

/// The checkpoints that a job could go on from, and which of them it does.
///
/// A job goes back behind its last checkpoint only where its user has said so, and where no sink has shown results that would then come again: what is
/// committed cannot be taken back. It never begins anew because its checkpoints are damaged.
struct RecoveryPoints: Sendable {
    /// One that cannot be gone on from.
    struct Damaged: Sendable {
        let checkpoint: JobCheckpoints.Completed
        let error: MillstreamError
    }

    /// The one that is chosen, and what is to be said of those that were passed over.
    struct Choice {
        let checkpoint: JobCheckpoints.Completed
        let restored: RestoredCheckpoint
        let damaged: [Damaged]
        let notices: [MillstreamError]
    }

    /// The property of a manifest that has the number of the checkpoint before it: results of those between them are in no other.
    static let previous = "previous"

    /// The newest first.
    var candidates: [JobCheckpoints.Completed] = []
    /// Those of them that an attempt has found to be damaged.
    var known: [Damaged] = []
    var fallsBack = false

    /// For a part of the job, which goes on from where the others did: it cannot go back alone.
    var ofRegion: RecoveryPoints {
        RecoveryPoints(candidates: candidates.filter { candidate in !known.contains { $0.checkpoint.location == candidate.location } })
    }

    /// The newest checkpoint that can be used; nil where there is none at all. `commits` says whether a sink makes results visible at checkpoints.
    ///
    /// Throws the damage of the newest one where falling back is not allowed, and `invalidState` where it would give results twice.
    func choose(objects: (any ObjectCoding)?, sinks: [(id: OperatorID, name: String, commits: () throws(MillstreamError) -> Bool)]) throws(MillstreamError) -> Choice? {
        guard let first = candidates.first else { return nil }
        try UnknownCommits.refuse(first)
        guard fallsBack else {
            do {
                return Choice(
                    checkpoint: first, restored: try RestoredCheckpoint(first.storage, group: first.group, objects: objects), damaged: [], notices: [])
            } catch { throw explained(error) }
        }
        var damaged: [Damaged] = []
        for candidate in candidates {
            if let entry = known.first(where: { $0.checkpoint.location == candidate.location }) {
                damaged.append(entry)
                continue
            }
            do throws(MillstreamError) {
                let restored = try RestoredCheckpoint(candidate.storage, group: candidate.group, objects: objects)
                try restored.verify()
                try UnknownCommits.refuse(candidate)
                for (index, entry) in damaged.enumerated() {
                    let before = index + 1 < damaged.count ? damaged[index + 1].checkpoint.id : restored.manifest.id
                    for sink in sinks { try refuse(sink, entry, before: before, to: restored.manifest.id) }
                }
                return Choice(checkpoint: candidate, restored: restored, damaged: damaged, notices: damaged.map { notice($0, restored, candidate) })
            } catch {
                guard error.damagedFile != nil else { throw error }
                damaged.append(Damaged(checkpoint: candidate, error: error))
            }
        }
        var error = damaged[0].error
        error.hint = "All \(damaged.count) checkpoint(s) of the job are damaged: "
            + damaged.map { "'\($0.checkpoint.location)'" }.joined(separator: ", ") + ". Copies of them, or the option without a path to begin anew, are left."
        throw error
    }

    /// The damage of a checkpoint with what can be done about it.
    func explained(_ error: MillstreamError) -> MillstreamError {
        guard let file = error.damagedFile else { return error }
        var usable: [String] = []
        for candidate in candidates where !file.hasPrefix(candidate.location + "/") {
            do throws(MillstreamError) {
                try RestoredCheckpoint(candidate.storage, group: candidate.group, objects: nil).verify()
                usable.append("'\(candidate.location)'")
            } catch {}
        }
        var result = error
        result.hint = usable.isEmpty
            ? "No other checkpoint of the job is known to be usable: use a copy of this one, or another savepoint."
            : "Usable are \(usable.joined(separator: ", ")). With millstream.recovery.fall-back=true the job goes back by itself, where no sink has shown "
                + "results of the damaged one."
        return result
    }

    /// Throws where a sink may have committed something of a checkpoint that is damaged: what is read again would be committed again. `before` is the one that
    /// should come before it.
    private func refuse(
        _ sink: (id: OperatorID, name: String, commits: () throws(MillstreamError) -> Bool), _ damaged: Damaged, before: CheckpointID, to id: CheckpointID
    ) throws(MillstreamError) {
        let reason: String
        do throws(MillstreamError) {
            let found = try RestoredCheckpoint(damaged.checkpoint.storage, group: damaged.checkpoint.group, objects: nil)
            // A checkpoint holds whatever is committed when it is complete, with the first checkpoint that had it; what others between the two committed,
            // which are gone, it does not hold.
            if found.manifest.properties.contains(Manifest.Property(Self.previous, "\(before.value)")) {
                guard try found.holdsResults(of: sink.id, behind: before) else { return }
                reason = "which has shown results of it"
            } else {
                guard try sink.commits() else { return }
                reason = "which may have shown results of one between the two"
            }
        } catch {
            guard error.damagedFile != nil else { throw error }
            guard try sink.commits() else { return }
            reason = "which may have shown results of it"
        }
        throw MillstreamError(
            .invalidState,
            "the checkpoint '\(damaged.checkpoint.location)' is damaged, and going back to checkpoint \(id.value) would give results twice to '\(sink.name)', "
                + reason + ": \(damaged.error.message)",
            hint: "Bring the file back from a copy. Or start from the older checkpoint by its path, and mend the sink's target by hand.", domain: .external,
            operatorName: sink.name)
    }

    private func notice(_ entry: Damaged, _ restored: RestoredCheckpoint, _ chosen: JobCheckpoints.Completed) -> MillstreamError {
        var notice = entry.error
        notice.message = "the checkpoint '\(entry.checkpoint.location)' is damaged, and the job goes on from '\(chosen.location)' (checkpoint \(restored.manifest.id.value)); "
            + "what the sources gave since then is read again: \(entry.error.message)"
        notice.hint = nil
        return notice
    }
}

extension JobCheckpoints.Completed {
    /// The checkpoint's place, for people, and to know it again.
    var location: String { storage.location(group) }
}

extension RestoredCheckpoint {
    /// Checks every byte of the checkpoint. Throws the first damage, with how much more there is, and whose state it is.
    func verify() throws(MillstreamError) {
        var first: MillstreamError?
        var others: [String] = []
        for state in manifest.operators {
            for file in state.files {
                do throws(MillstreamError) { try check(file, of: state) } catch {
                    if first == nil {
                        first = error.inOperator(state.name)
                        first?.message += " (state of '\(state.name)', uid \(state.id.text), subtask \(file.subtask.value), \(file.file.rowCount) rows)"
                    } else {
                        others.append("'\(state.name)', subtask \(file.subtask.value)")
                    }
                }
            }
        }
        guard var first else { return }
        if !others.isEmpty { first.message += "; and that of \(others.prefix(8).joined(separator: "; "))\(others.count > 8 ? "; …" : "")" }
        throw first
    }

    /// Whether the checkpoint has results to be made visible that the checkpoint `id` had not.
    func holdsResults(of id: OperatorID, behind earlier: CheckpointID) throws(MillstreamError) -> Bool {
        guard let state = state(of: id) else { return false }
        for file in state.files {
            let reader = try open(file, of: state.parallelism)
            for (_, batch) in try reader.batches(SinkState.committables) where try SinkState.first(batch).contains(where: { $0 > earlier }) { return true }
            for name in reader.names {
                if let checkpoint = CollectOperator.checkpoint(ofPart: name), checkpoint > earlier { return true }
            }
        }
        return false
    }
}
