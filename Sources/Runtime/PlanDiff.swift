import Checkpoint
import Columnar
import Dataflow
import Operators
import Plan
import State

/// What becomes of a savepoint's state in a job: known before the job starts, by the names and the types alone.
public struct PlanDiff: Sendable {
    public enum Outcome: String, Sendable {
        case kept
        /// Kept, in other types or with other fields.
        case migrated
        /// No state of the job; it is kept, and written again.
        case carried
        /// The savepoint has none of it: it begins empty.
        case rebuilt
        /// Left behind.
        case lost
        /// The job would not start.
        case refused
    }

    /// Some states of one operator that have the same fate.
    public struct Entry: Sendable {
        public let uid: String
        public let name: String
        public let states: [String]
        public let outcome: Outcome
        public let reason: String
    }

    /// In the order of the plan; then what the plan has not.
    public private(set) var entries: [Entry] = []
    private let manifest: Manifest

    /// Throws `plan` and `configuration` for a plan that would not run at all, `decode` for a savepoint that is damaged.
    public init(_ plan: StreamPlan, bindings: Bindings, savepoint: SavepointReader) throws(MillstreamError) {
        manifest = savepoint.manifest
        var lowering = Lowering(plan, bindings: bindings)
        let graph = try lowering.lower()
        let steps = graph.tasks.flatMap { task in task.steps.map { (step: $0, task: task) } }
        for (step, task) in steps {
            let saved = manifest.operators.first { $0.id == step.id }
            try add(step, task, saved, plan, bindings, savepoint, graph.isBatch)
        }
        let known = Set(steps.map(\.step.id))
        for state in manifest.operators where !known.contains(state.id) && (!state.files.isEmpty || !state.coordinator.isEmpty) {
            let isAllowed = plan.configuration.checkpoints.allowsNonRestoredState
            let parts = try savepoint.partFields(of: state.id.text).map(\.name).filter { !RuntimePart.isProgress($0) }
            if parts.isEmpty, state.coordinator.isEmpty, state.files.allSatisfy(\.stores.isEmpty) { continue }
            entries.append(
                Entry(
                    uid: state.id.text, name: state.name, states: parts, outcome: isAllowed ? .lost : .refused,
                    reason: "no operator of the job has the uid '\(state.id.text)'" + (isAllowed ? "" : "; state may not be left behind (--allow-non-restored-state)")))
        }
    }

    private mutating func add(
        _ step: JobGraph.Step, _ task: JobGraph.Task, _ saved: Manifest.OperatorState?, _ plan: StreamPlan, _ bindings: Bindings, _ savepoint: SavepointReader,
        _ isBatch: Bool
    ) throws(MillstreamError) {
        let operation = try Self.operation(step, plan, bindings, isBatch)
        let declared = try operation?.declaredParts()
        func note(_ outcome: Outcome, _ states: [String], _ reason: String) -> Entry? {
            states.isEmpty ? nil : Entry(uid: step.id.text, name: step.node.name, states: states, outcome: outcome, reason: reason)
        }
        guard let saved, !saved.files.isEmpty || !saved.coordinator.isEmpty else {
            let reason = saved == nil
                ? "the savepoint has no operator with the uid '\(step.id.text)'" + (step.node.uid == nil ? ", which follows from the plan: give it one with .uid()" : "")
                : "the savepoint has no state of it"
            if let entry = note(.rebuilt, declared?.map(\.name) ?? [], reason) { entries.append(entry) }
            return
        }
        var stores: [String] = []
        for name in saved.files.flatMap(\.stores).map(\.name) where !stores.contains(name) { stores.append(name) }
        let parts = try savepoint.partFields(of: saved.id.text).filter { part in !stores.contains { StoredState.typesPart($0) == part.name } }
        if let chosen = step.node.maxParallelism ?? plan.configuration.maxParallelism, chosen != saved.maxParallelism {
            entries += [note(.refused, parts.map(\.name), "the max parallelism is \(saved.maxParallelism) in the savepoint, and \(chosen) in the job: it cannot change")].compactMap { $0 }
            return
        }
        if task.parallelism > saved.maxParallelism {
            entries += [note(.refused, parts.map(\.name), "the parallelism \(task.parallelism) is above the max parallelism of the savepoint, \(saved.maxParallelism)")].compactMap { $0 }
            return
        }
        var kept: [String] = []
        var found: [Entry?] = []
        let keyTypes = Self.keyTypes(step)
        var clash: MillstreamError?
        if case .process(let description) = step.node.operation {
            do throws(MillstreamError) {
                try KeyedState.checkTimeToLive(description.states.filter { !$0.kind.isOperatorState }.map(\.name), parts: parts.map(\.name))
            } catch { clash = error }
        }
        for part in parts {
            let keyCount = DeclaredPart.keyCount(part.fields)
            let keys = part.fields.prefix(keyCount).map(\.type.nullable)
            if let clash, part.name.hasPrefix("keyed/"), clash.message.contains("'\(part.name.dropFirst(6))'") {
                found.append(note(.refused, [part.name], clash.message))
                continue
            }
            if keyCount > 0, let keyTypes, keys != keyTypes.map(\.nullable) {
                found.append(note(.refused, [part.name], "its key is of the types \(keys) in the savepoint, and \(keyTypes.map(\.nullable)) in the job"))
                continue
            }
            guard let wanted = declared?.first(where: { $0.name == part.name }) else {
                let isOwn = declared == nil || Self.isOfTheRuntime(part.name)
                if isOwn { kept.append(part.name); continue }
                let isCarried = part.name.hasPrefix("keyed/") || part.name.hasPrefix("operator/")
                found.append(
                    note(isCarried ? .carried : .lost, [part.name], isCarried ? "the operator has no such state; it is kept, and written again" : "the operator keeps its state in another form"))
                continue
            }
            do throws(MillstreamError) {
                let evolution = try wanted.evolution(from: Array(part.fields[keyCount...]))
                if evolution.isIdentity {
                    kept.append(part.name)
                } else {
                    found.append(note(.migrated, [part.name], evolution.changes.map(\.text).joined(separator: "; ")))
                }
            } catch {
                found.append(note(.refused, [part.name], error.message))
            }
        }
        var stored: [String] = []
        for store in stores {
            // One store has the states of all keys.
            let names = store == KeyedState.storePart ? (declared ?? []).map(\.name).filter { $0.hasPrefix("keyed/") } : [store]
            stored += names
            let reason = try Self.refusal(of: store, saved, keyTypes, operation, plan, savepoint)
            if let reason { found.append(note(.refused, names.isEmpty ? [store] : names, reason)) } else { kept += names }
        }
        if !saved.coordinator.isEmpty, !kept.contains("source/splits") { kept.append("source/splits") }
        let reason = saved.parallelism == task.parallelism ? "as it is" : "dealt out anew: the parallelism was \(saved.parallelism), and is \(task.parallelism)"
        found.insert(note(.kept, kept, reason), at: 0)
        let missing = (declared ?? []).map(\.name).filter { name in !parts.contains { $0.name == name } && !stored.contains(name) }
        found.append(note(.rebuilt, missing, "the savepoint has nothing in it"))
        entries += found.compactMap { $0 }
    }

    /// Why the files of a store are of no use to the job; nil where the operator goes on with them.
    private static func refusal(
        of store: String, _ saved: Manifest.OperatorState, _ keyTypes: [DataType]?, _ operation: (any StateDeclaring)?, _ plan: StreamPlan,
        _ savepoint: SavepointReader
    ) throws(MillstreamError) -> String? {
        guard plan.configuration.state.kind != .hashMap else {
            let error = StoredState.needsStore(saved.name)
            return error.message + (error.hint.map { ". \($0)" } ?? "")
        }
        for bytes in try savepoint.bytes(StoredState.typesPart(store), of: saved.id.text) {
            let (keys, values) = StoredState.types(in: bytes)
            if let wanted = operation?.storedValues(of: store), wanted != values {
                return StoredState.changed(store, of: saved.name, from: values, to: wanted).message
            }
            if !keys.isEmpty, let keyTypes, keys != keyTypes.map({ "\($0.nullable)" }) {
                return "its key is of the types [\(keys.joined(separator: ", "))] in the savepoint, and \(keyTypes.map(\.nullable)) in the job"
            }
        }
        return nil
    }

    /// Parts that the runtime writes, and that operators of all kinds read.
    private static func isOfTheRuntime(_ part: String) -> Bool {
        ["runtime/", "source/", "sink/", "collect/", "timers/", "async/", "in-flight"].contains { part.hasPrefix($0) } || part == "window/time" || part == "watermarks"
    }

    private static func keyTypes(_ step: JobGraph.Step) -> [DataType]? {
        let positions: [Int]?
        switch step.node.operation {
        case .process(let description): positions = description.keys
        case .reduce(_, let keys), .rolling(_, _, let keys): positions = keys
        case .window(let description): positions = description.keys
        case .table(let table): positions = table.inputKeys.first?.flatMap { $0.isEmpty ? nil : $0 }
        case .aggregate(let aggregation): positions = aggregation.keys.flatMap { $0.isEmpty ? nil : $0 }
        default: positions = nil
        }
        let types = (step.inputs.first?.types ?? []) + step.hidden
        guard let positions, positions.allSatisfy({ $0 >= 0 && $0 < types.count }) else { return nil }
        return positions.map { types[$0] }
    }

    /// The operator, which says what it keeps; nil for one that does not say, and takes what there is.
    private static func operation(
        _ step: JobGraph.Step, _ plan: StreamPlan, _ bindings: Bindings, _ isBatch: Bool
    ) throws(MillstreamError) -> (any StateDeclaring)? {
        switch step.node.operation {
        case .source, .sink, .custom, .project, .filter: return nil
        default: break
        }
        var bindings = bindings
        if let function = step.function {
            switch step.node.operation {
            case .transform(let id), .keySelector(let id, _), .reduce(let id, _): bindings.bind(id.value, function: function)
            default: break
            }
        }
        let operation = try OperatorFactory.make(
            for: step.node, inputs: step.inputs, hidden: step.hidden, bindings: bindings, configuration: plan.configuration, isBatch: isBatch)
        return operation as? any StateDeclaring
    }
}
