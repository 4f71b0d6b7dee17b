import Columnar

/// Steps of a clean-up that are all done, whatever fails: the first failure is thrown at the end, with the later ones attached.
public struct CleanUp {
    private var failure: MillstreamError?

    public init() {}

    /// Does one step; a failure is kept for `finish`.
    public mutating func attempt(_ step: () throws(MillstreamError) -> Void) {
        do throws(MillstreamError) { try step() } catch {
            if failure == nil { failure = error } else { failure?.suppress(error) }
        }
    }

    /// Throws what failed, if anything did.
    public func finish() throws(MillstreamError) {
        if let failure { throw failure }
    }
}
