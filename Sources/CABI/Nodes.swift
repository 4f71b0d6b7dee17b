import CMillstream
import Columnar
import Connectors
import Plan

/// The properties that a program may set on a node.
extension Node {
    static let optionKeys = ["name", "uid", "parallelism", "max-parallelism", "chaining", "buffer-timeout", "slot-sharing-group", "dead-letters", "defined-at"]
    /// What Flink calls "flush only when the buffer is full": a timeout that never comes.
    static let bufferTimeoutNever: Int64 = 1 << 40

    mutating func set(_ option: Option) throws(MillstreamError) {
        switch option.key {
        case "name": name = try notEmpty(option)
        case "uid": uid = try notEmpty(option)
        case "parallelism":
            let value = Int(try option.integer(1...JobConfiguration.parallelismMax))
            try requireSerial(value)
            parallelism = value
        case "max-parallelism": maxParallelism = Int(try option.integer(1...JobConfiguration.parallelismMax))
        case "chaining": chaining = [.always, .head, .never][try option.choice(["always", "head", "never"])]
        case "buffer-timeout":
            let value = try option.integer(-1...Node.bufferTimeoutNever)
            bufferTimeoutMilliseconds = value < 0 ? Node.bufferTimeoutNever : value
        case "slot-sharing-group": slotSharingGroup = try notEmpty(option)
        case "dead-letters":
            let tag = try notEmpty(option)
            if case .source(let source) = operation { try setDeadLetters(of: source, tag) }
            deadLetterOutput = tag
        case "defined-at": definedAt = option.value
        default: throw Option.unknown(option.key, among: Node.optionKeys, of: "property of a node")
        }
    }

    private func notEmpty(_ option: Option) throws(MillstreamError) -> String {
        guard !option.value.isEmpty else { throw option.refusal("a text that is not empty") }
        return option.value
    }

    /// The output for records of files that do not decode, declared with it.
    private mutating func setDeadLetters(of source: SourceDescription, _ tag: String) throws(MillstreamError) {
        guard case .files(var files) = source.kind else {
            throw MillstreamError(.plan, "the source '\(name)' has no dead letters: only files have records that do not decode")
        }
        guard files.malformed != .skip else {
            throw MillstreamError(
                .configuration, "the source '\(name)' skips what does not decode, and cannot send it to '\(tag)' too",
                hint: "Leave skip-malformed out: what goes to dead letters does not fail the job either.")
        }
        if let old = sideOutputs.first(where: { $0.name == tag }) {
            guard old.schema == FileSource.deadLetterSchema else {
                throw MillstreamError(.plan, "the side output '\(tag)' of '\(name)' is declared as \(old.schema) already; dead letters need another name")
            }
        } else {
            sideOutputs.append(SideOutput(name: tag, schema: FileSource.deadLetterSchema))
        }
        files.malformed = .deadLetter
        var source = source
        source.kind = .files(files)
        operation = .source(source)
    }

    /// Refuses more than one subtask for what can only be read in one place.
    private func requireSerial(_ value: Int) throws(MillstreamError) {
        guard value > 1, case .source(let source) = operation else { return }
        switch source.kind {
        case .arrow, .host, .socketText:
            throw MillstreamError(
                .configuration, "the parallelism of the source '\(name)' is 1 and cannot be \(value)",
                hint: "Spread its rows with a rebalance behind it.")
        default: return
        }
    }
}

@c @implementation
public func millstream_node_set(
    _ environment: OpaquePointer?, _ node: millstream_node, _ key: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let option = Option(try readText(key, "key"), try readText(value, "value"))
        try box.edit { editor throws(MillstreamError) in try editor.plan.nodes[try editor.index(of: node)].set(option) }
    }
}

@c @implementation
public func millstream_node_add_side_output(
    _ environment: OpaquePointer?, _ node: millstream_node, _ tag: UnsafePointer<CChar>?, _ schema: UnsafePointer<CChar>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let output = SideOutput(name: try readName(tag, "the tag"), schema: try Schema.parse(try readText(schema, "the schema")))
        try box.edit { editor throws(MillstreamError) in
            let index = try editor.index(of: node)
            if let old = editor.plan.nodes[index].sideOutputs.first(where: { $0.name == output.name }) {
                guard old.schema != output.schema else { return }
                throw MillstreamError(
                    .plan, "the side output '\(output.name)' of '\(editor.plan.nodes[index].name)' is declared as \(old.schema) already, "
                        + "and now as \(output.schema)")
            }
            editor.plan.nodes[index].sideOutputs.append(output)
        }
    }
}

@c @implementation
public func millstream_node_schema(
    _ environment: OpaquePointer?, _ node: millstream_node, _ schema: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let result = try place(schema, "schema")
        let output = try box.edit { editor throws(MillstreamError) in editor.plan.nodes[try editor.index(of: node)].output }
        result.pointee = try giveText(output.description)
    }
}
