/// Cells of any kind in chunks. A copy shares all of them, at once; whoever changes a cell then copies its chunk first, by Swift's own copy on write. So a
/// snapshot is such a copy, which another thread reads while the owner goes on.
struct CellChunks<Element> {
    private static var shift: Int { 8 }
    private static var mask: Int { (1 << shift) - 1 }

    private var chunks: [[Element]] = []

    /// Places below exist.
    var count: Int { chunks.count << Self.shift }

    /// Places below `end` exist afterwards, and perhaps some more.
    mutating func reserve(_ end: Int, empty: Element) {
        while count < end { chunks.append([Element](repeating: empty, count: Self.mask + 1)) }
    }

    subscript(place: Int) -> Element {
        @inline(__always) get { chunks[place &>> Self.shift][place & Self.mask] }
        @inline(__always) _modify { yield &chunks[place &>> Self.shift][place & Self.mask] }
    }

    /// All of them, in order.
    var all: FlattenSequence<[[Element]]> { chunks.joined() }
}
