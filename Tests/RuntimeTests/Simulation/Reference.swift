/// What a keyed operator makes of its rows, one by one, in the plainest way there is. It shares no code with the engine.
///
/// Input: rows and watermarks in the order in which they come through one channel. Output: rows as lists of numbers, the timestamp last.
struct Reference {
    /// What `thinOut` adds to the id of a copy.
    static let copyOffset: Int64 = 1_000_000

    enum Event {
        case row(InputRow)
        case watermark(Int64)
    }

    /// `aggregateThen`: the aggregate's result goes to the window function of `elements`.
    enum WindowFunction: CaseIterable { case native, fold, elements, aggregate, aggregateThen }

    enum Step {
        case tally(bucket: Int64)
        case buckets(bucket: Int64)
        case alarms
        /// Tumbling where slide and size are equal.
        case windows(size: Int64, slide: Int64, offset: Int64, lateness: Int64, WindowFunction)
        case sessions(gap: Int64, lateness: Int64, WindowFunction)
        case counts(size: Int64, slide: Int64, WindowFunction)
        /// Tumbling and session windows in processing time, of elements.
        case processingWindows(size: Int64, isSession: Bool)
        case reduce
        /// Sum (0), min, max, min by, max by of the values: `RollingAggregate`.
        case rolling(Int32)
    }

    let step: Step
    private(set) var main: [[Int64?]] = []
    private(set) var side: [[Int64?]] = []
    /// Rows that came too late and went nowhere.
    private(set) var dropped = 0
    /// Late rows go to the side output.
    let hasLateOutput: Bool
    /// Reductions give the last value of a key alone.
    let isBatch: Bool
    private var watermark = Int64.min
    private var rowCount = 0
    private var keys: [Int64: KeyContents] = [:]

    private struct Window {
        var start: Int64
        var end: Int64
        var rows: [InputRow]
    }

    private struct KeyContents {
        var count: Int64?
        var list: [Int64] = []
        var sums: [Int64: Int64] = [:]
        /// In the order of their registration.
        var timers: [Int64] = []
        var windows: [Window] = []
        var rowCount: Int64 = 0
        var record: InputRow?
    }

    init(_ step: Step, hasLateOutput: Bool, isBatch: Bool = false) {
        self.step = step
        self.isBatch = isBatch
        self.hasLateOutput = hasLateOutput
    }

    mutating func run(_ events: [Event]) {
        for event in events {
            switch event {
            case .row(let row): take(row)
            case .watermark(let time): advance(to: time)
            }
        }
    }

    // MARK: The rows before the keyed operator

    /// The rows of a split as `thinOut` leaves them.
    static func thinnedOut(_ rows: [InputRow]) -> [InputRow] {
        rows.flatMap { row -> [InputRow] in
            if row.id % 17 == 0 { return [] }
            if row.id % 19 != 0 { return [row] }
            var copy = row
            copy.id += copyOffset
            return [row, copy]
        }
    }

    /// The rows with the watermarks of a bounded out-of-orderness that are due by data, and the last one.
    static func withWatermarks(_ rows: [InputRow], lag: Int64, interval: Int64, thinsOut: Bool) -> [Event] {
        var events: [Event] = []
        var greatest: Int64?
        var emitted: Int64?
        for row in rows {
            events += (thinsOut ? thinnedOut([row]) : [row]).map { .row($0) }
            guard greatest == nil || row.time > greatest! else { continue }
            greatest = row.time
            let watermark = row.time - lag - 1
            if emitted == nil || watermark >= emitted! + max(1, interval) {
                emitted = watermark
                events.append(.watermark(watermark))
            }
        }
        return events + [.watermark(.max)]
    }

    /// The rows with watermarks behind so many of them, and the last one.
    static func withWatermarks(_ rows: [InputRow], _ marks: [(rowCount: Int, watermark: Int64)], thinsOut: Bool) -> [Event] {
        var events: [Event] = []
        var next = 0
        for (index, row) in rows.enumerated() {
            while next < marks.count, marks[next].rowCount <= index {
                events.append(.watermark(marks[next].watermark))
                next += 1
            }
            events += (thinsOut ? thinnedOut([row]) : [row]).map { .row($0) }
        }
        return events + marks[next...].map { .watermark($0.watermark) } + [.watermark(.max)]
    }

    // MARK: Rows

    private mutating func take(_ row: InputRow) {
        var row = row
        rowCount += 1
        row.arrival = rowCount
        var key = keys[row.key] ?? KeyContents()
        defer { keys[row.key] = key }
        switch step {
        case .tally(let size):
            let bucket = floorDivide(row.time, size)
            if row.id % 11 == 0 { key.count = nil }
            key.count = (key.count ?? 0) + 1
            main.append([row.key, row.id, 0, key.count, row.time])
            collect(row, bucket, size, &key)
            if row.id % 13 == 0 { key.timers.removeAll { $0 == bucket * size - 1 } }
            key.list.append(row.id)
            if key.list.count == 4 {
                main.append([row.key, row.id, 1, key.list.reduce(0, &+), row.time])
                key.list = []
            }
            if row.id % 7 == 0 { side.append([row.key, row.id, 0, key.count, row.time]) }
        case .buckets(let size): collect(row, floorDivide(row.time, size), size, &key)
        case .alarms: main.append([row.key, row.id, 0, nil, row.time])
        case .windows(let size, let slide, let offset, let lateness, let function):
            takeInWindows(row, size, slide, offset, lateness, function, &key)
        case .sessions(let gap, let lateness, let function): takeInSession(row, gap, lateness, function, &key)
        case .counts(let size, let slide, let function):
            if key.rowCount % slide == 0 { key.windows.append(Window(start: 0, end: 0, rows: [])) }
            key.rowCount += 1
            for index in key.windows.indices { key.windows[index].rows.append(row) }
            for window in key.windows where window.rows.count == size { fire(window, function, isCounted: true) }
            key.windows.removeAll { $0.rows.count == size }
            // A window that is not full yet takes rows up to its size only.
        case .processingWindows: break
        case .reduce:
            key.record = key.record.map { Self.folded($0, row) } ?? row
            if !isBatch, let record = key.record { main.append([record.key, record.id, record.value, record.time, row.time]) }
        case .rolling(let aggregate):
            key.record = key.record.map { Self.rolled(aggregate, $0, row) } ?? row
            if !isBatch, let record = key.record { main.append([record.key, record.id, record.value, record.time, row.time]) }
        }
    }

    private func collect(_ row: InputRow, _ bucket: Int64, _ size: Int64, _ key: inout KeyContents) {
        key.sums[bucket] = (key.sums[bucket] ?? 0) &+ (row.value ?? 1)
        let end = bucket * size + (size - 1)
        if !key.timers.contains(end) { key.timers.append(end) }
    }

    private static func folded(_ left: InputRow, _ right: InputRow) -> InputRow {
        var result = left
        result.id = max(left.id, right.id)
        if let value = right.value { result.value = (left.value ?? 0) &+ value }
        result.time = min(left.time, right.time)
        return result
    }

    private static func rolled(_ aggregate: Int32, _ record: InputRow, _ row: InputRow) -> InputRow {
        guard let value = row.value else { return record }
        var result = record
        let isBetter = record.value == nil || (aggregate % 2 == 1 ? value < record.value! : value > record.value!)
        switch aggregate {
        case 0: result.value = (record.value ?? 0) &+ value
        case 1, 2: if isBetter { result.value = value }
        default: if isBetter { result = row }
        }
        return result
    }

    // MARK: Windows

    private mutating func takeLate(_ row: InputRow) {
        if hasLateOutput { side.append([row.key, row.id, row.value, row.time, row.time]) } else { dropped += 1 }
    }

    private mutating func takeInWindows(
        _ row: InputRow, _ size: Int64, _ slide: Int64, _ offset: Int64, _ lateness: Int64, _ function: WindowFunction, _ key: inout KeyContents
    ) {
        var wasTaken = false
        for start in Self.starts(of: row.time, size, slide, offset) where !isPast(start + size - 1, lateness) {
            wasTaken = true
            let place: Int
            if let found = key.windows.firstIndex(where: { $0.start == start }) {
                key.windows[found].rows.append(row)
                place = found
            } else {
                key.windows.append(Window(start: start, end: start + size, rows: [row]))
                place = key.windows.count - 1
            }
            if start + size - 1 <= watermark { fire(key.windows[place], function, isCounted: false) }
        }
        if wasTaken { return }
        if isPast(row.time, lateness) { takeLate(row) } else { dropped += 1 }
    }

    static func starts(of time: Int64, _ size: Int64, _ slide: Int64, _ offset: Int64) -> [Int64] {
        var start = floorDivide(time - offset, slide) * slide + offset
        var starts: [Int64] = []
        while start + size > time {
            starts.append(start)
            start -= slide
        }
        return starts
    }

    private func isPast(_ time: Int64, _ lateness: Int64) -> Bool { watermark == .max || time + lateness <= watermark }

    private mutating func takeInSession(
        _ row: InputRow, _ gap: Int64, _ lateness: Int64, _ function: WindowFunction, _ key: inout KeyContents
    ) {
        var session = Window(start: row.time, end: row.time + gap, rows: [])
        let touching = key.windows.filter { $0.start <= row.time + gap && $0.end >= row.time }
        for other in touching {
            session.start = min(session.start, other.start)
            session.end = max(session.end, other.end)
            session.rows += other.rows
        }
        if isPast(session.end - 1, lateness) { return takeLate(row) }
        session.rows.append(row)
        // A session lists its rows in the order in which they came, whatever was merged into it.
        session.rows.sort { $0.arrival < $1.arrival }
        key.windows.removeAll { $0.start <= row.time + gap && $0.end >= row.time }
        key.windows.append(session)
        if session.end - 1 <= watermark { fire(session, function, isCounted: false) }
    }

    private mutating func fire(_ window: Window, _ function: WindowFunction, isCounted: Bool) {
        let first = window.rows[0]
        let times: [Int64?] = isCounted ? [] : [window.start, window.end]
        let stamp = isCounted ? Int64.max : window.end - 1
        switch function {
        case .native:
            let values = window.rows.compactMap(\.value)
            let sum = values.isEmpty ? nil : values.reduce(0, &+)
            main.append([first.key] + times + [Int64(window.rows.count), Int64(values.count), sum, values.min(), values.max(), stamp])
        case .fold:
            let result = window.rows.dropFirst().reduce(first) { Self.folded($0, $1) }
            main.append([result.key, result.id, result.value, result.time, stamp])
        case .aggregate, .aggregateThen:
            let values = window.rows.compactMap(\.value)
            let results: [Int64?] = [Int64(window.rows.count), values.isEmpty ? nil : values.reduce(0, &+), values.max()]
            main.append(function == .aggregate ? [first.key] + results + [stamp] : [first.key, times.first ?? nil, times.last ?? nil] + results.prefix(2) + [stamp])
        case .elements:
            for row in window.rows { main.append([first.key, times.first ?? nil, times.last ?? nil, row.id, row.value, stamp]) }
        }
    }

    // MARK: Time

    private mutating func advance(to time: Int64) {
        let before = watermark
        watermark = time
        for number in keys.keys.sorted() {
            guard var key = keys[number] else { continue }
            switch step {
            case .tally(let size): fireTimers(number, size, &key, goesOn: true)
            case .buckets(let size): fireTimers(number, size, &key, goesOn: false)
            case .windows(_, _, _, let lateness, let function), .sessions(_, let lateness, let function):
                let due = key.windows.filter { $0.end - 1 > before && $0.end - 1 <= time }.sorted { $0.end < $1.end }
                for window in due { fire(window, function, isCounted: false) }
                key.windows.removeAll { isPast($0.end - 1, lateness) }
            case .reduce where isBatch, .rolling where isBatch:
                if let record = key.record { main.append([record.key, record.id, record.value, record.time, .max]) }
            default: break
            }
            keys[number] = key
        }
    }

    private mutating func fireTimers(_ number: Int64, _ size: Int64, _ key: inout KeyContents, goesOn: Bool) {
        while let time = key.timers.min(), time <= watermark {
            key.timers.removeAll { $0 == time }
            let bucket = floorDivide(time, size)
            if let sum = key.sums.removeValue(forKey: bucket) {
                main.append([number, time, 2, sum, time])
                if goesOn, sum & 1 == 1, !key.timers.contains(time + size) { key.timers.append(time + size) }
            } else {
                main.append([number, time, 3, Int64(key.sums.count), time])
            }
        }
    }
}
