import Columnar

/// Rows as a table of text, as `TableResult.print()` gives it:
///
///     +----+-------------+--------------------------------+
///     | op |           i |                              s |
///     +----+-------------+--------------------------------+
///     | +I |           1 |                              a |
///     | +I |      <NULL> | a long text of more than th... |
///     +----+-------------+--------------------------------+
///     2 rows in set
///
/// Pure functions from values as text to lines; a result that never ends is printed row by row: `header`, each `row`, `footer`.
public struct Tableau: Sendable {
    public static let columnWidthMax = 30
    private static let null = "<NULL>"
    private static let ellipsis = "..."

    private let names: [String]
    private let widths: [Int]
    private let showsRowKinds: Bool
    private let nullText: String
    private let line: String

    /// A query's result: columns as wide as their types need, the row's kind in the first where rows can change.
    /// `columnWidthMax`: of columns whose types set no
    /// width of their own (`table.display.max-column-width`).
    public init(_ columns: [Field], showsRowKinds: Bool, columnWidthMax: Int = Tableau.columnWidthMax) {
        var names = columns.map(\.name)
        var widths = columns.map { max(Self.displayWidth($0.name), Self.width($0.type, columnWidthMax)) }
        if showsRowKinds {
            names.insert("op", at: 0)
            widths.insert(2, at: 0)
        }
        self.init(names, widths, showsRowKinds: showsRowKinds, nullText: Self.null)
    }

    private init(_ names: [String], _ widths: [Int], showsRowKinds: Bool, nullText: String) {
        self.names = names
        self.widths = widths
        self.showsRowKinds = showsRowKinds
        self.nullText = nullText
        line = "+" + widths.map { String(repeating: "-", count: $0 + 2) + "+" }.joined() + "\n"
    }

    /// The lines above the first row.
    public var header: String { line + cells(names) + line }

    /// One row: values as `CAST(… AS STRING)` gives them, nil for NULL; `kind` is `+I`, `-U`, `+U` or `-D`.
    public func row(_ values: [String?], kind: String = "+I") -> String {
        cells((showsRowKinds ? [kind] : []) + values.map { $0 ?? nullText })
    }

    /// The lines below the last row.
    public func footer(count: Int) -> String { (count > 0 ? line : "") + Self.total(count) }

    static func total(_ count: Int) -> String { count == 0 ? "Empty set\n" : count == 1 ? "1 row in set\n" : "\(count) rows in set\n" }

    /// A whole result. `kinds`: nil where all rows are inserted and no kind is shown.
    public static func text(_ columns: [Field], _ rows: [[String?]], kinds: [String]? = nil, columnWidthMax: Int = Tableau.columnWidthMax) -> String {
        let tableau = Tableau(columns, showsRowKinds: kinds != nil, columnWidthMax: columnWidthMax)
        guard !rows.isEmpty else { return total(0) }
        var text = tableau.header
        for (index, row) in rows.enumerated() { text += tableau.row(row, kind: kinds.map { index < $0.count ? $0[index] : "+I" } ?? "+I") }
        return text + tableau.footer(count: rows.count)
    }

    /// The result of a statement that is no query: columns as wide as their values, NULL is empty. A statement that only succeeds prints OK.
    public static func text(_ table: ResultTable) -> String {
        if table.kind != .successWithContent { return "OK\n" }
        let rows = table.rows.map { $0.map { text($0) ?? "" } }
        guard !rows.isEmpty else { return total(0) }
        var widths = table.columns.map { displayWidth($0.name) }
        for row in rows {
            for (index, value) in row.enumerated() where index < widths.count { widths[index] = max(widths[index], displayWidth(value)) }
        }
        let tableau = Tableau(table.columns.map(\.name), widths, showsRowKinds: false, nullText: "")
        return tableau.header + rows.map { tableau.row($0) }.joined() + tableau.footer(count: rows.count)
    }

    private static func text(_ value: Scalar) -> String? {
        switch value {
        case .null: nil
        case .boolean(let value): value ? "TRUE" : "FALSE"
        case .int64(let value): String(value)
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        default: "\(value)"
        }
    }

    // MARK: Cells

    private func cells(_ values: [String]) -> String {
        var text = "|"
        for (index, value) in values.enumerated() where index < widths.count { text += " " + Self.fitted(value, widths[index]) + " |" }
        return text + "\n"
    }

    /// At the right of a column, or cut with three points behind it.
    private static func fitted(_ value: String, _ width: Int) -> String {
        let own = displayWidth(value)
        if own <= width { return String(repeating: " ", count: width - own) + value }
        let room = max(0, width - ellipsis.utf8.count)
        var cut = String.UnicodeScalarView()
        var used = 0
        for scalar in value.unicodeScalars {
            let next = displayWidth(scalar)
            guard used + next <= room else { break }
            used += next
            cut.append(scalar)
        }
        return String(repeating: " ", count: room - used) + String(cut) + ellipsis
    }

    /// What Flink takes for the widest value of a type.
    private static func width(_ type: DataType, _ widest: Int) -> Int {
        let width: Int
        switch type.kind {
        case .tinyInt: width = 4
        case .smallInt: width = 6
        case .int: width = 11
        case .bigInt: width = 20
        case .decimal(let precision, _): width = precision + 2
        case .boolean: width = 5
        case .date: width = 10
        case .time(let precision): width = precision == 0 ? 8 : precision + 9
        case .timestamp(let precision), .timestampLTZ(let precision): width = precision == 0 ? 19 : precision + 20
        default: return widest
        }
        return type.isNullable ? max(width, null.utf8.count) : width
    }

    // MARK: Widths

    static func displayWidth(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 < 128 }) { return text.utf8.count }
        return text.unicodeScalars.reduce(0) { $0 + displayWidth($1) }
    }

    /// Columns of a terminal: two for what East Asian fonts draw wide and for emoji, none for marks over another letter.
    /// (Flink counts emoji three, marks one: its
    /// tables lose their edges there.)
    private static func displayWidth(_ scalar: Unicode.Scalar) -> Int {
        let value = scalar.value
        if value < 0x300 { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: return wide.contains { $0.contains(value) } ? 2 : 1
        }
    }

    /// Unicode's East Asian Width W and F, in a few ranges.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23EC, 0x23F0...0x23F0, 0x23F3...0x23F3, 0x25FD...0x25FE, 0x2614...0x2615,
        0x2648...0x2653,
        0x267F...0x267F, 0x2693...0x2693, 0x26A1...0x26A1, 0x26AA...0x26AB, 0x26BD...0x26BE, 0x26C4...0x26C5, 0x26CE...0x26CE, 0x26D4...0x26D4,
        0x26EA...0x26EA,
        0x26F2...0x26F3, 0x26F5...0x26F5, 0x26FA...0x26FA, 0x26FD...0x26FD, 0x2705...0x2705, 0x270A...0x270B, 0x2728...0x2728, 0x274C...0x274C,
        0x274E...0x274E,
        0x2753...0x2755, 0x2757...0x2757, 0x2795...0x2797, 0x27B0...0x27B0, 0x27BF...0x27BF, 0x2B1B...0x2B1C, 0x2B50...0x2B50, 0x2B55...0x2B55,
        0x2E80...0x303E,
        0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
        0x16FE0...0x18DFF,
        0x1AFF0...0x1B2FF, 0x1F004...0x1F004, 0x1F0CF...0x1F0CF, 0x1F18E...0x1F18E, 0x1F191...0x1F19A, 0x1F200...0x1F320, 0x1F32D...0x1F335,
        0x1F337...0x1F37C,
        0x1F37E...0x1F393, 0x1F3A0...0x1F3CA, 0x1F3CF...0x1F3D3, 0x1F3E0...0x1F3F0, 0x1F3F4...0x1F3F4, 0x1F3F8...0x1F43E, 0x1F440...0x1F440,
        0x1F442...0x1F4FC,
        0x1F4FF...0x1F53D, 0x1F54B...0x1F54E, 0x1F550...0x1F567, 0x1F57A...0x1F57A, 0x1F595...0x1F596, 0x1F5A4...0x1F5A4, 0x1F5FB...0x1F64F,
        0x1F680...0x1F6C5,
        0x1F6CC...0x1F6CC, 0x1F6D0...0x1F6D2, 0x1F6D5...0x1F6D7, 0x1F6DC...0x1F6DF, 0x1F6EB...0x1F6EC, 0x1F6F4...0x1F6FC, 0x1F7E0...0x1F7F0,
        0x1F90C...0x1F93A,
        0x1F93C...0x1F945, 0x1F947...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD,
    ]
}
