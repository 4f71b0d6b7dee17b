/// Values by name, in the order of the names' bytes. Names are equal where their bytes are: `String` itself takes canonically equivalent texts for one.
public struct NameMap<Value> {
    private var entries: [(name: String, value: Value)] = []

    public init() {}

    public var names: [String] { entries.map(\.name) }
    public var values: [Value] { entries.map(\.value) }
    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }

    public subscript(name: String) -> Value? {
        get {
            let (index, isFound) = place(of: name)
            return isFound ? entries[index].value : nil
        }
        set {
            let (index, isFound) = place(of: name)
            switch (newValue, isFound) {
            case (let value?, true): entries[index].value = value
            case (let value?, false): entries.insert((name, value), at: index)
            case (nil, true): entries.remove(at: index)
            case (nil, false): break
            }
        }
    }

    private func place(of name: String) -> (index: Int, isFound: Bool) {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].name.isBelow(name) { low = middle + 1 } else { high = middle }
        }
        return (low, low < entries.count && entries[low].name.isSame(as: name))
    }
}

extension NameMap: Sendable where Value: Sendable {}
extension NameMap: Equatable where Value: Equatable {
    public static func == (left: NameMap, right: NameMap) -> Bool {
        left.count == right.count && zip(left.entries, right.entries).allSatisfy { $0.name.isSame(as: $1.name) && $0.value == $1.value }
    }
}
extension NameMap: Hashable where Value: Hashable {
    public func hash(into hasher: inout Hasher) {
        for entry in entries {
            hasher.combine(Array(entry.name.utf8))
            hasher.combine(entry.value)
        }
    }
}

extension NameMap: Sequence {
    public func makeIterator() -> AnyIterator<(name: String, value: Value)> {
        var index = 0
        return AnyIterator {
            defer { index += 1 }
            return index < entries.count ? entries[index] : nil
        }
    }
}

extension NameMap: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, Value)...) { for (name, value) in elements { self[name] = value } }
}

extension String {
    /// Whether both have the same bytes.
    func isSame(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
    /// The order of bytes, which is that of code points.
    func isBelow(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
