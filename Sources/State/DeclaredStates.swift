import Columnar
import Dataflow

extension KeyedState {
    /// How a state lies in a checkpoint.
    public static func declaredPart(_ name: String, _ kind: Kind, _ types: StateTypes) -> DeclaredPart {
        let value = StateColumns.stored(types.value), key = StateColumns.stored(types.key ?? .object)
        return switch kind {
        case .value: DeclaredPart(partPrefix + name, [Field("value", value)])
        case .list: DeclaredPart(partPrefix + name, [Field("element", value)])
        case .map: DeclaredPart(partPrefix + name, [Field("map_key", key), Field("map_value", value)])
        case .operatorState(.list): DeclaredPart("operator/list/" + name, [Field("element", value)])
        case .operatorState(.unionList): DeclaredPart("operator/union/" + name, [Field("element", value)])
        case .operatorState(.broadcast): DeclaredPart("operator/broadcast/" + name, [Field("map_key", key), Field("map_value", value)])
        }
    }

    /// A state whose time-to-live was switched on or off since the checkpoint has no times of access for what it holds, or times that nobody keeps.
    ///
    /// Throws `decode` for such a state. `names` are those of the job's keyed states, `parts` those of the checkpoint.
    public static func checkTimeToLive(_ names: [String], parts: [String]) throws(MillstreamError) {
        let suffix = "/last-access"
        for name in names where !name.hasSuffix(suffix) && parts.contains(partPrefix + name) {
            let (has, had) = (names.contains(name + suffix), parts.contains(partPrefix + name + suffix))
            guard has != had else { continue }
            throw MillstreamError(
                .decode, "the state '\(name)' has \(had ? "a" : "no") time-to-live in the checkpoint, and \(has ? "one" : "none") in the job",
                hint: "Give the state another name, or write it anew with its times of access (millstream.state.SavepointWriter).", domain: .external)
        }
    }
}
