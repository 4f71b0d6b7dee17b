import Columnar
import Expressions
import Plan
import SQL
import Testing

struct ConstantFoldingTests {
    private static func bind(_ text: String) throws -> ScalarExpression {
        let scope = TableScope([TableScope.Table(["t"], [ScopeColumn("a", 0, .int), ScopeColumn("s", 1, .string)])])
        return try ScalarBinder(SourceText(text), scope: scope).bind(try Parser.expression(text)).expression
    }

    private static func outcome(_ expression: ScalarExpression, _ context: EvaluationContext) -> String {
        do { return "\(try ScalarProgram.constant(expression, context))" } catch { return error.code == .unsupported ? "unsupported" : "error" }
    }

    @Test("Folding changes no value and no error of the recorded expressions")
    func recorded() throws {
        var foldedCount = 0
        for record in try RecordedExpression.all() where record.from == nil {
            guard let bound = try? Self.bind(record.text) else { continue }
            let context = EvaluationContext(timeZone: record.timeZone, now: 1_700_000_000_000)
            let folded = ConstantFolding.fold(bound, context)
            #expect(folded.type == bound.type, "\(record.id): \(record.text)")
            if case .constant = folded.kind, folded != bound { foldedCount += 1 }
            guard bound.isDeterministic else { continue }
            let (before, after) = (Self.outcome(bound, context), Self.outcome(folded, context))
            #expect(before == after, "\(record.id): \(record.text)")
            // What raises is not folded away.
            if before == "error" { if case .constant = folded.kind { Issue.record("\(record.id): \(record.text) has lost its error") } }
        }
        #expect(foldedCount > 1_000)
    }

    @Test("Parts are folded beside columns; errors, chance and the present are left to the run")
    func parts() throws {
        let context = EvaluationContext()
        #expect(ConstantFolding.fold(try Self.bind("a + (2 + 3)"), context) == (try Self.bind("a + 5")))
        #expect(
            ConstantFolding.fold(try Self.bind("CASE WHEN a > 1 + 1 THEN 2 * 3 ELSE 1 - 1 END"), context)
                == (try Self.bind("CASE WHEN a > 2 THEN 6 ELSE 0 END")))
        for text in ["1 / 0", "a + 1 / 0", "RAND() + 1", "CURRENT_TIMESTAMP", "CAST('x' AS INT)", "REPEAT('x', 2000000000)", "UUID()"] {
            let bound = try Self.bind(text)
            #expect(ConstantFolding.fold(bound, context) == bound, "\(text)")
        }
    }
}
