import Columnar
import Expressions

/// The options that a session knows: Flink's, by their names, types and defaults, and Millstream's own.
public enum KnownOptions {
    /// In the order of their keys.
    public static let all: [ConfigOption] = (table + optimizer + execution + engine).sorted { $0.key.isBelow($1.key) }

    private static let byKey: NameMap<ConfigOption> = {
        var options = NameMap<ConfigOption>()
        for option in all { options[option.key] = option }
        return options
    }()

    /// Names that an option had before.
    private static let formerKeys: NameMap<String> = [
        "execution.buffer-timeout": "execution.buffer-timeout.interval",
        "execution.checkpointing.unaligned": "execution.checkpointing.unaligned.enabled",
        "execution.checkpointing.alignment-timeout": "execution.checkpointing.aligned-checkpoint-timeout",
        "execution.savepoint-restore-mode": "execution.state-recovery.claim-mode",
        "execution.savepoint.ignore-unclaimed-state": "execution.state-recovery.ignore-unclaimed-state",
        "execution.savepoint.path": "execution.state-recovery.path", "pipeline.operator-chaining": "pipeline.operator-chaining.enabled",
        "restart-strategy": "restart-strategy.type", "state.backend": "state.backend.type",
        "state.checkpoint-storage": "execution.checkpointing.storage",
        "state.checkpoints.dir": "execution.checkpointing.dir", "state.checkpoints.num-retained": "execution.checkpointing.num-retained",
        "state.savepoints.dir": "execution.checkpointing.savepoint-dir",
    ]

    public static func option(_ key: String) -> ConfigOption? { byKey[formerKeys[key] ?? key] }

    /// Within these every key is known; an unknown one is a mistake.
    private static let namespaces = [
        "table.", "pipeline.", "execution.", "parallelism.", "restart-strategy.", "state.", "sql-client.", "millstream.",
    ]
    /// Families whose members this list does not have: whoever makes the job knows them.
    private static let openNamespaces = ["state.backend.", "pipeline.global-job-parameters.", "execution.checkpointing.file-merging."]

    /// Refuses a key that no option has, unless it can be the program's own.
    static func checkForeign(_ key: String) throws(MillstreamError) {
        if openNamespaces.contains(where: { key.hasPrefix($0) }) { return }
        let keys = all.map(\.key)
        let isFlinks = namespaces.contains { key.hasPrefix($0) }
        let nearest = NearestName.all(key, among: keys)
        // Of another namespace: a slip in the first word (`tabel.exec…`) is one or two letters.
        if !isFlinks, nearest.isEmpty || NearestName.distance(key, nearest[0]) > 2 { return }
        var hint = nearest.isEmpty ? nil : "Did you mean " + nearest.map { "'\($0)'" }.joined(separator: " or ") + "?"
        if hint == nil {
            let family = keys.filter { $0.hasPrefix(key.split(separator: ".").dropLast().joined(separator: ".") + ".") }
            if !family.isEmpty { hint = "Known here: \(family.prefix(12).joined(separator: ", "))\(family.count > 12 ? ", …" : "")." }
        }
        throw MillstreamError(.configuration, "there is no option '\(key)'", hint: hint)
    }
}
