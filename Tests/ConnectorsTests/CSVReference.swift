/// CSV read character by character, as slowly and plainly as can be: the other opinion in differential tests.
struct CSVReference {
    var delimiter = UInt8(ascii: ",")
    var quote: UInt8? = UInt8(ascii: "\"")
    var escape: UInt8?
    var comment: UInt8?
    var fieldCount = 3
    var isRagged = false
    var skipsEmptyLines: Bool { fieldCount > 1 }

    enum Record: Equatable {
        case row([[UInt8]?])
        case bad
    }

    func records(_ text: [UInt8]) -> [Record] {
        var records: [Record] = []
        var index = 0
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        while index < text.count {
            let start = index
            if let comment, text[index] == comment {
                while index < text.count, text[index] != 10, text[index] != 13 { index += 1 }
                index = afterLineEnd(text, index)
                continue
            }
            var fields: [[UInt8]] = []
            var isBad = false
            var isOpen = true
            while isOpen {
                var field: [UInt8] = []
                if let quote, index < text.count, text[index] == quote {
                    index += 1
                    var isClosed = false
                    while index < text.count {
                        if let escape, text[index] == escape {
                            if index + 1 == text.count { index += 1; break }
                            field.append(text[index + 1])
                            index += 2
                        } else if text[index] == quote {
                            if index + 1 < text.count, text[index + 1] == quote {
                                field.append(quote)
                                index += 2
                            } else {
                                index += 1
                                isClosed = true
                                break
                            }
                        } else {
                            field.append(text[index])
                            index += 1
                        }
                    }
                    if !isClosed { isBad = true; index = text.count }
                    while index < text.count, text[index] != delimiter, text[index] != 10, text[index] != 13 {
                        isBad = true
                        index += 1
                    }
                } else {
                    while index < text.count, text[index] != delimiter, text[index] != 10, text[index] != 13 {
                        if let escape, text[index] == escape {
                            // An escape with nothing behind it is itself.
                            field.append(text[min(index + 1, text.count - 1)])
                            index = min(index + 2, text.count)
                        } else {
                            field.append(text[index])
                            index += 1
                        }
                    }
                }
                fields.append(field)
                if index < text.count, text[index] == delimiter { index += 1 } else { isOpen = false }
            }
            let isEmptyLine = index == start
            index = afterLineEnd(text, index)
            if isEmptyLine, skipsEmptyLines { continue }
            if isBad || String(validating: text[start..<index], as: UTF8.self) == nil || (fields.count != fieldCount && !isRagged) {
                records.append(.bad)
            } else {
                var row: [[UInt8]?] = fields.prefix(fieldCount).map { $0 }
                while row.count < fieldCount { row.append(nil) }
                records.append(.row(row))
            }
        }
        return records
    }

    private func afterLineEnd(_ text: [UInt8], _ index: Int) -> Int {
        guard index < text.count else { return index }
        return text[index] == 13 && index + 1 < text.count && text[index + 1] == 10 ? index + 2 : index + 1
    }
}
