import Columnar

/// Keeps host values alive that a store has replaced, while columns gathered earlier still borrow them.
///
/// A store lends handles without a reference of their own: the gathered column keeps the store's current loans. References that the store gives up go to
/// the current loans, and are released, all at once, when these die. A store whose loans are borrowed goes on with new ones; the old ones keep the new
/// ones, since what is given up later may have been lent before. The store's thread adds; any thread may drop.
final class HandleLoans: @unchecked Sendable {
    let objects: HostObjects
    private var givenUp: UnsafeMutablePointer<UInt64>?
    private var capacity = 0
    private(set) var count = 0
    private var next: HandleLoans?

    init(_ objects: HostObjects) { self.objects = objects }

    deinit {
        releaseAll()
        givenUp?.deallocate()
        // One by one: a long chain must not be dropped recursively.
        var following = unlink()
        while isKnownUniquelyReferenced(&following) { following = following?.unlink() }
    }

    /// Room for `additional` more references, of which the caller tells the number with `added`.
    func room(_ additional: Int) -> UnsafeMutablePointer<UInt64> {
        if let givenUp, count + additional <= capacity { return givenUp + count }
        let size = max(count + additional, 2 * capacity, 64)
        let grown = UnsafeMutablePointer<UInt64>.allocate(capacity: size)
        if let givenUp {
            grown.update(from: givenUp, count: count)
            givenUp.deallocate()
        }
        givenUp = grown
        capacity = size
        return grown + count
    }

    func added(_ additional: Int) { count += additional }

    /// Loans for what is lent from now on.
    func successor() -> HandleLoans {
        let loans = HandleLoans(objects)
        next = loans
        return loans
    }

    func releaseAll() {
        guard count > 0, let givenUp else { return }
        let released = count
        count = 0
        UnsafeRawPointer(givenUp).withMemoryRebound(to: HostObjects.Handle?.self, capacity: released) { objects.release($0, released) }
    }

    private func unlink() -> HandleLoans? {
        defer { next = nil }
        return next
    }
}
