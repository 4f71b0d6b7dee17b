import Columnar
import Plan

/// Where an aggregate call stands, which decides whether its result may be NULL.
public enum AggregatePlace: Hashable, Sendable {
    /// Without GROUP BY: the one group may have no rows.
    case global
    case grouped
    /// With OVER. A frame that always holds a row gives what a group does.
    case over
}

extension ScalarBinder {
    /// An aggregate call, or one with OVER (its PARTITION BY, ORDER BY and frame are the planner's).
    public func bindAggregate(_ expression: ExpressionSyntax, _ place: AggregatePlace) throws(MillstreamError) -> BoundAggregate {
        throw source.error("aggregates are not bound", at: expression.range, code: .unsupported)
    }
}
