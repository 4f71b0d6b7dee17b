import Columnar
import Expressions
import Operators
import Plan

/// The options of file sources and sinks.
private let csvKeys = ["csv.delimiter", "csv.quote", "csv.escape", "csv.header", "csv.null-literal", "csv.comment", "csv.ragged"]
private let sourceKeys = ["format", "projection", "skip-malformed", "monitor-interval"] + csvKeys
private let sinkKeys = ["format", "rolling.size", "rolling.interval", "rolling.inactivity", "prefix", "suffix", "time-folders", "time-folders.zone"] + csvKeys

private enum FileFormat: Int { case text, csv, json }

/// A file source and the schema of its rows. Throws `configuration` for what contradicts itself.
func fileSource(_ paths: [String], schema text: String?, options: [Option]) throws(MillstreamError) -> (FileSourceDescription, Schema) {
    var format = FileFormat.text
    var csv = CSVOptions()
    var projection: [String]?
    var malformed = FileSourceDescription.Malformed.fail
    var monitor: Int64?
    for option in options {
        switch option.key {
        case "format": format = try fileFormat(option)
        case "projection": projection = option.value.split(separator: ",").map { trimmed(String($0)) }
        case "skip-malformed": malformed = try option.boolean() ? .skip : .fail
        case "monitor-interval":
            monitor = try option.milliseconds()
            if monitor == 0 { throw option.refusal("more than nothing") }
        default: try set(option, &csv, among: sourceKeys)
        }
    }
    try requireCSV(format, options)
    let fileSchema = try fileSchema(format, text)
    var description = FileSourceDescription(paths: paths, format: planFormat(format, csv), fileSchema: fileSchema)
    description.malformed = malformed
    description.monitorMilliseconds = monitor
    guard let projection else { return (description, fileSchema) }
    guard format != .text else { throw MillstreamError(.configuration, "a text file has one column; there is nothing to project") }
    description.projection = try positions(projection, fileSchema)
    return (description, Schema(description.projection?.map { fileSchema.fields[$0] } ?? [], shape: fileSchema.shape))
}

/// A file sink without its bucket.
func fileSink(_ directory: String, options: [Option]) throws(MillstreamError) -> FileSinkDescription {
    var format = FileFormat.text
    var csv = CSVOptions()
    var description = FileSinkDescription(directory: directory, format: .text)
    for option in options {
        switch option.key {
        case "format": format = try fileFormat(option)
        case "rolling.size": description.rollByteCount = try positive(option, try option.byteCount())
        case "rolling.interval": description.rollAgeMilliseconds = try positive(option, try option.milliseconds())
        case "rolling.inactivity": description.rollInactivityMilliseconds = try positive(option, try option.milliseconds())
        case "time-folders": description.timeFolders = option.value
        case "time-folders.zone": description.timeFoldersAreUTC = try option.choice(["local", "UTC"]) == 1
        case "prefix": description.prefix = try fileNamePart(option)
        case "suffix": description.suffix = try fileNamePart(option)
        default: try set(option, &csv, among: sinkKeys)
        }
    }
    try requireCSV(format, options)
    switch format {
    case .text: description.format = .text
    case .csv: description.format = .csv(csv)
    case .json: description.format = .jsonLines
    }
    return description
}

private func fileFormat(_ option: Option) throws(MillstreamError) -> FileFormat {
    FileFormat(rawValue: try option.choice(["text", "csv", "json"])) ?? .text
}

private func planFormat(_ format: FileFormat, _ csv: CSVOptions) -> FileSourceDescription.Format {
    switch format {
    case .text: .text
    case .csv: .csv(csv)
    case .json: .jsonLines
    }
}

private func fileSchema(_ format: FileFormat, _ text: String?) throws(MillstreamError) -> Schema {
    if format == .text {
        guard text == nil else { throw MillstreamError(.configuration, "a text file has no schema: each line is a STRING") }
        return .scalar(.string)
    }
    guard let text else { throw MillstreamError(.configuration, "a csv or json file needs a schema") }
    let schema = try Schema.parse(text)
    guard !schema.fields.isEmpty else { throw MillstreamError(.configuration, "the file's schema has no columns") }
    return schema
}

private func set(_ option: Option, _ csv: inout CSVOptions, among keys: [String]) throws(MillstreamError) {
    switch option.key {
    case "csv.delimiter": csv.delimiter = try option.character()
    case "csv.quote": csv.quote = try option.optionalCharacter()
    case "csv.escape": csv.escape = try option.optionalCharacter()
    case "csv.header": csv.hasHeader = try option.boolean()
    case "csv.null-literal": csv.nullLiteral = option.value
    case "csv.comment": csv.comment = try option.optionalCharacter()
    case "csv.ragged": csv.allowsRaggedRows = try option.boolean()
    default: throw Option.unknown(option.key, among: keys, of: "option of files")
    }
}

private func requireCSV(_ format: FileFormat, _ options: [Option]) throws(MillstreamError) {
    guard format != .csv, let option = options.first(where: { $0.key.hasPrefix("csv.") }) else { return }
    throw MillstreamError(.configuration, "option '\(option.key)' needs the format csv")
}

private func positions(_ names: [String], _ schema: Schema) throws(MillstreamError) -> [Int] {
    guard !names.isEmpty else { throw MillstreamError(.configuration, "the projection is empty") }
    var positions: [Int] = []
    for name in names {
        guard let position = schema.index(of: name) else {
            throw MillstreamError(
                .configuration, "the projection names a column '\(name)' that the file has not",
                hint: NearestName.of(name, among: schema.fields.map(\.name)).map { "Did you mean '\($0)'?" })
        }
        if positions.contains(position) { throw MillstreamError(.configuration, "the projection names the column '\(name)' twice") }
        positions.append(position)
    }
    return positions
}

private func positive(_ option: Option, _ value: Int64) throws(MillstreamError) -> Int64 {
    guard value > 0 else { throw option.refusal("more than nothing") }
    return value
}

private func fileNamePart(_ option: Option) throws(MillstreamError) -> String {
    guard !option.value.utf8.contains(UInt8(ascii: "/")) else { throw option.refusal("a part of a file's name, without '/'") }
    return option.value
}

private func trimmed(_ text: String) -> String {
    var slice = Substring(text)
    while slice.first == " " { slice.removeFirst() }
    while slice.last == " " { slice.removeLast() }
    return String(slice)
}
