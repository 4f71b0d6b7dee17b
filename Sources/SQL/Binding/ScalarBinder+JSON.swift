import Columnar
import Plan

extension ScalarBinder {
    func json(_ call: JSONCallSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        throw source.error("\(call.function.rawValue) is not bound", at: range, code: .unsupported)
    }
}
