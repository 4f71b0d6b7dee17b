import Columnar
import Plan
import SQL
import Testing

struct BinderCorpusTests {
    /// What Flink refuses and Millstream takes, and why.
    private static let taken: [Int: String] = [
        26: "parts of a string literal may stand on one line", 42: "parts of a string literal may stand on one line",
        973: "Flink's generated code does not compile", 4430: "Flink's generated code does not compile",
        4447: "Flink's generated code does not compile",
        1179: "Flink's generated code does not compile", 4557: "Flink's generated code does not compile",
        2236: "TYPEOF of a time attribute is an internal error of Flink's", 4519: "an internal error of Flink's: rows with names and nullable fields",
        3355: "REAL is another name of FLOAT", 3486: "an internal error of Flink's: arrays of texts without characters",
        4470: "any integer is an index", 4471: "any integer is an index",
        2910: "Flink has multisets and no plan for them", 2911: "Flink has multisets and no plan for them",
        2912: "Flink has multisets and no plan for them",
        3618: "Flink has multisets and no plan for them", 3619: "Flink has multisets and no plan for them",
        3621: "Flink has multisets and no plan for them",
        3914: "Flink has multisets and no plan for them", 4003: "Flink has multisets and no plan for them", 4672: "Flink has ELEMENT of arrays alone",
        4684: "Flink has ELEMENT of arrays alone", 4729: "intervals have an order", 4792: "time zones are looked up when the expression is compiled",
    ]

    @Test("Types of the recorded expressions are Flink's, with nullability, and what it refuses before running is refused")
    func types() throws {
        var counts: [String: (right: Int, all: Int)] = [:]
        for record in try RecordedExpression.all() {
            var isRight = false
            var said = ""
            do {
                said = try SmallPlanner.bind(record.statement).typeDescription
                isRight = record.errorPhase != "validate" && said == record.type
                // Taken all the same, with the type that Flink has for it if it has one.
                if record.errorPhase == "validate", Self.taken[record.id] != nil {
                    #expect(record.type == nil || said == record.type, "\(record.id): \(record.statement)")
                }
            } catch {
                isRight = record.errorPhase == "validate"
                said = error.message
                #expect(error.code == .plan || error.code == .unsupported, "\(record.id): \(error)")
                #expect(error.message.hasPrefix("SQL: line "), "\(record.id): \(error)")
            }
            counts[record.category, default: (0, 0)].all += 1
            if isRight {
                counts[record.category]?.right += 1
                #expect(Self.taken[record.id] == nil, "\(record.id) is no exception any more: \(record.statement)")
            } else if Self.taken[record.id] == nil {
                Issue.record("\(record.id): \(record.statement)\nFlink: \(record.type ?? "-") \(record.errorMessage)\nMillstream: \(said)")
            }
        }
        let (right, all) = (counts.values.map(\.right).reduce(0, +), counts.values.map(\.all).reduce(0, +))
        #expect(all == 3_173 && right == all - Self.taken.count, "\(right) of \(all); \(counts.sorted { $0.key < $1.key })")
    }
}
