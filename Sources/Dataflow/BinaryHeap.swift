/// A queue by priority: the least element comes first.
///
/// Elements that must come out in the order in which they went in carry a number that says so; a heap alone does not keep it.
public struct BinaryHeap<Element: Comparable> {
    @usableFromInline var elements: [Element] = []

    @inlinable
    public init() {}

    @inlinable
    public var count: Int { elements.count }

    /// The least element.
    @inlinable
    public var first: Element? { elements.first }

    @inlinable
    public mutating func push(_ element: Element) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0, elements[child] < elements[(child - 1) / 2] {
            elements.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Removes the least element.
    @inlinable
    @discardableResult
    public mutating func popFirst() -> Element? {
        guard !elements.isEmpty else { return nil }
        elements.swapAt(0, elements.count - 1)
        let least = elements.removeLast()
        sink(0)
        return least
    }

    /// Removes the elements for which `shouldRemove` is true.
    @inlinable
    public mutating func removeAll(where shouldRemove: (Element) -> Bool) {
        elements.removeAll(where: shouldRemove)
        var place = elements.count / 2
        while place > 0 {
            place -= 1
            sink(place)
        }
    }

    @usableFromInline
    mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            let left = 2 * parent + 1
            if left < elements.count, elements[left] < elements[least] { least = left }
            if left + 1 < elements.count, elements[left + 1] < elements[least] { least = left + 1 }
            if least == parent { return }
            elements.swapAt(parent, least)
            parent = least
        }
    }
}
