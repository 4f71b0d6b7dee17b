/// English names of what a calendar has, as Java writes them (CLDR).
enum TimeText {
    enum Style: UInt8 { case short, full, narrow }

    static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ]
    static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    static let halves = ["AM", "PM"]
    /// As `TimePattern.dayPeriod` counts them.
    static let periods = ["midnight", "at night", "in the morning", "noon", "in the afternoon", "in the evening"]

    static func months(_ style: Style) -> [String] {
        switch style {
        case .short: months.map { String($0.prefix(3)) }
        case .full: months
        case .narrow: months.map { String($0.prefix(1)) }
        }
    }

    static func weekdays(_ style: Style) -> [String] {
        switch style {
        case .short: weekdays.map { String($0.prefix(3)) }
        case .full: weekdays
        case .narrow: weekdays.map { String($0.prefix(1)) }
        }
    }

    static func eras(_ style: Style) -> [String] {
        switch style {
        case .short: ["BC", "AD"]
        case .full: ["Before Christ", "Anno Domini"]
        case .narrow: ["B", "A"]
        }
    }

    static func quarters(_ style: Style) -> [String] {
        switch style {
        case .short: ["Q1", "Q2", "Q3", "Q4"]
        case .full: ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"]
        case .narrow: ["1", "2", "3", "4"]
        }
    }
}
