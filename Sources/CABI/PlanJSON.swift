import Columnar
import Plan

/// The plan in the form of Flink's `get_execution_plan`: nodes with id (from 1), type, contents, parallelism and predecessors.
func planJSON(_ plan: StreamPlan) -> String {
    var writer = JSONText()
    writer.raw("{\"nodes\":[")
    var parallelisms: [Int] = []
    for (index, node) in plan.nodes.enumerated() {
        if index > 0 { writer.raw(",") }
        parallelisms.append(node.parallelism ?? node.defaultParallelism ?? node.inheritedParallelism(parallelisms) ?? plan.configuration.parallelism)
        write(node, parallelisms[index], &writer)
    }
    writer.raw("]}")
    return writer.text
}

private func write(_ node: Node, _ parallelism: Int, _ writer: inout JSONText) {
    writer.raw("{\"id\":\(node.id.value + 1),\"type\":")
    writer.string(node.name)
    writer.raw(",\"pact\":")
    writer.string(node.pact)
    writer.raw(",\"contents\":")
    writer.string(node.name)
    writer.raw(",\"parallelism\":\(parallelism)")
    if let uid = node.uid {
        writer.raw(",\"uid\":")
        writer.string(uid)
    }
    writer.raw(",\"output\":")
    writer.string(node.output.description)
    if !node.inputs.isEmpty {
        writer.raw(",\"predecessors\":[")
        for (index, edge) in node.inputs.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.raw("{\"id\":\(edge.source.value + 1),\"ship_strategy\":\"\(edge.partitioning.shipStrategy)\",\"side\":\"\(index == 0 ? "first" : "second")\"")
            if let sideOutput = edge.sideOutput {
                writer.raw(",\"side_output\":")
                writer.string(sideOutput)
            }
            writer.raw("}")
        }
        writer.raw("]")
    }
    writer.raw("}")
}

extension Node {
    fileprivate var pact: String {
        switch operation {
        case .source: "Data Source"
        case .sink: "Data Sink"
        default: "Operator"
        }
    }

    /// The parallelism that the kind of node dictates.
    fileprivate var defaultParallelism: Int? {
        guard case .source(let source) = operation else { return nil }
        switch source.kind {
        case .arrow, .host, .socketText: return 1
        default: return nil
        }
    }
}

extension Node {
    /// Key selectors and timestamps run where their input does, as the runtime has it. `parallelisms` are those of the nodes before this one.
    fileprivate func inheritedParallelism(_ parallelisms: [Int]) -> Int? {
        switch operation {
        case .keySelector, .assignTimestamps: break
        default: return nil
        }
        guard inputs.count == 1, case .forward = inputs[0].partitioning, parallelisms.indices.contains(inputs[0].source.value) else { return nil }
        return parallelisms[inputs[0].source.value]
    }
}

extension Partitioning {
    fileprivate var shipStrategy: String {
        switch self {
        case .forward: "FORWARD"
        case .rebalance: "REBALANCE"
        case .rescale: "RESCALE"
        case .shuffle: "SHUFFLE"
        case .broadcast: "BROADCAST"
        case .global: "GLOBAL"
        case .hash: "HASH"
        case .custom: "CUSTOM"
        }
    }
}

/// JSON under construction.
struct JSONText {
    private(set) var text = ""

    /// Appends what is JSON already.
    mutating func raw(_ piece: String) { text += piece }

    /// Appends a string with what JSON demands escaped.
    mutating func string(_ value: String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
