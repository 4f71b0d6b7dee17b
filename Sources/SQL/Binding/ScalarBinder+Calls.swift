import Columnar
import Expressions
import Plan

/// What kind of function a name is.
public enum FunctionKind: Sendable { case scalar, aggregate, overOnly, table }

extension ScalarBinder {
    /// What the call calls; nil: no function has that name.
    public func kind(of call: CallSyntax) throws(MillstreamError) -> FunctionKind? {
        let name = call.name.parts.map(\.text)
        func user(_ beforeBuiltIn: Bool) throws(MillstreamError) -> FunctionKind? {
            try functions.function(name, beforeBuiltIn: beforeBuiltIn).map { $0.kind == .scalar ? .scalar : $0.kind == .table ? .table : .aggregate }
        }
        if let kind = try user(true) { return kind }
        if name.count == 1 {
            if let aggregate = AggregateDefinitions.all[name[0].uppercasedASCII] { return aggregate.isOverOnly ? .overOnly : .aggregate }
            if FunctionCatalogue.definition(name[0]) != nil { return .scalar }
        }
        return try user(false)
    }

    /// The user's function that the call calls; nil: it is built in, or nobody's.
    public func userFunction(_ call: CallSyntax) throws(MillstreamError) -> UserFunction? {
        let name = call.name.parts.map(\.text)
        if let function = try functions.function(name, beforeBuiltIn: true) { return function }
        if name.count == 1, AggregateDefinitions.all[name[0].uppercasedASCII] != nil || FunctionCatalogue.definition(name[0]) != nil { return nil }
        return try functions.function(name, beforeBuiltIn: false)
    }

    func call(_ call: CallSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let name = call.name.text
        if call.over != nil {
            throw source.error("\(name) OVER (...) cannot stand here", at: range, hint: "A query around this one can use its result.")
        }
        if call.name.parts.count == 1, name.uppercasedASCII == "INTERVAL", call.arguments.count == 2,
            case .expression(let count) = call.arguments[0].value,
            case .expression(let unit) = call.arguments[1].value, case .unit(let unit) = unit.kind
        {
            var value = try bind(count)
            if call.modifier == "-" { value = try arithmetic(.multiply, value, constant(.int64(-1), .int), range) }
            return try units(value, unit, count.range)
        }
        if let user = try userFunction(call) { return try self.user(user, call, range) }
        if call.name.parts.count == 1 {
            let key = name.uppercasedASCII
            if let aggregate = AggregateDefinitions.all[key] {
                throw source.error(
                    aggregate.isOverOnly ? "\(name) takes an OVER (...) behind it" : "the aggregate \(name) cannot stand here", at: range,
                    hint: aggregate.isOverOnly
                        ? "\(name)() OVER (PARTITION BY ... ORDER BY ...)"
                        : "Aggregates stand in SELECT, HAVING and ORDER BY, and not within each other.")
            }
            if let definition = FunctionCatalogue.definition(name) { return try builtIn(definition, call, range) }
        }
        throw unknownFunction(call)
    }

    private func unknownFunction(_ call: CallSyntax) -> MillstreamError {
        let name = call.name.text
        if let hint = FunctionCatalogue.elsewhere[name.uppercasedASCII] {
            return source.error("there is no function \(name)", at: call.name.range, hint: hint)
        }
        let names = FunctionCatalogue.names + Array(AggregateDefinitions.names) + functions.names
        return source.error(
            "there is no function \(name)", at: call.name.range, hint: NearestName.of(name, among: names).map { "Did you mean \($0)?" })
    }

    /// What belongs to aggregates is not for a scalar function.
    private func refuseExtras(_ call: CallSyntax, _ range: SourceRange) throws(MillstreamError) {
        let name = call.name.text
        if call.hasStar { throw source.error("\(name) takes no star", at: range, hint: "COUNT(*) does.") }
        if call.isDistinct || !call.orderBy.isEmpty || call.filter != nil || call.nullTreatment != nil {
            throw source.error("\(name) is no aggregate: it takes no DISTINCT, ORDER BY, FILTER or IGNORE NULLS", at: range)
        }
    }

    // MARK: Built-in functions

    private func builtIn(_ definition: FunctionDefinition, _ syntax: CallSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        try refuseExtras(syntax, range)
        return try definition.make(try fitted(definition.signatures, takesNull: definition.takesNull, syntax, range))
    }

    /// The call with its arguments bound, and cast to the first signature that takes them.
    func fitted(_ signatures: [FunctionSignature], takesNull: Bool, _ syntax: CallSyntax, _ range: SourceRange) throws(MillstreamError)
        -> FunctionCall
    {
        var call = FunctionCall(name: syntax.name.text, signatures: signatures, binder: self, syntax: syntax, range: range, arguments: [], ranges: [])
        var units: Set<Int> = []
        for (index, argument) in syntax.arguments.enumerated() {
            if let name = argument.name { throw source.error("\(call.name) takes its arguments by place, not by name", at: name.range) }
            guard case .expression(let expression) = argument.value else {
                throw source.error("\(call.name) takes values, no tables or descriptors", at: range)
            }
            call.ranges.append(expression.range)
            if case .unit(let unit) = expression.kind {
                units.insert(index)
                call.arguments.append(constant(.string(unit.rawValue), .string))
                continue
            }
            let value = try operand(expression)
            if value.isNullLiteral, !takesNull { throw nullError(expression.range) }
            call.arguments.append(value)
        }
        guard let index = signatures.firstIndex(where: { fits(call, $0, units) }) else { throw wrongArguments(call) }
        call.signature = index
        for place in call.arguments.indices where !units.contains(place) {
            let parameter = signatures[index].parameter(place)
            guard let target = parameter.target(call.arguments[place].type) else { continue }
            call.arguments[place] = parameter.saturates ? Self.saturated(call.arguments[place]) : Self.cast(call.arguments[place], to: target)
        }
        return call
    }

    /// Any integer as INT; what is beyond it becomes the largest or the smallest one, and not what is left of its bits.
    private static func saturated(_ value: BoundScalar) -> BoundScalar {
        guard value.type.kind == .bigInt else { return cast(value, to: .int) }
        let (low, high) = (Int64(Int32.min), Int64(Int32.max))
        if case .int64(let number)? = value.constant {
            return BoundScalar(.constant(.int64(max(low, min(high, number))), DataType.int.nullable(value.type.isNullable)))
        }
        func bound(_ number: Int64) -> ScalarExpression { .constant(.int64(number), DataType.bigInt.notNull) }
        let raised = ScalarExpression.call(.greatest, [value.expression, bound(low)], value.type)
        return cast(BoundScalar(.call(.least, [raised, bound(high)], value.type)), to: .int)
    }

    private func fits(_ call: FunctionCall, _ signature: FunctionSignature, _ units: Set<Int>) -> Bool {
        guard signature.takes(count: call.arguments.count) else { return false }
        for (index, argument) in call.arguments.enumerated() {
            if case .unit = signature.parameter(index) {
                if !units.contains(index) { return false }
            } else if units.contains(index) || !signature.parameter(index).takes(argument.type) {
                return false
            }
        }
        return true
    }

    private func wrongArguments(_ call: FunctionCall) -> MillstreamError {
        let count = call.arguments.count
        if !call.signatures.contains(where: { $0.takes(count: count) }) {
            return call.mismatch("\(call.name) does not take \(count == 1 ? "1 argument" : "\(count) arguments")")
        }
        return call.mismatch()
    }

    // MARK: The user's functions

    private func user(_ function: UserFunction, _ call: CallSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        guard function.kind == .scalar else {
            throw source.error(
                "the \(function.kind.rawValue) function \(function.name) cannot stand here", at: range,
                hint: function.kind == .table ? "FROM t, LATERAL TABLE(\(function.name)(...)) is its place." : nil)
        }
        try refuseExtras(call, range)
        let (arguments, signature) = try arguments(of: function, call, range)
        return BoundScalar(ScalarExpression(.user(function.binding, arguments.map(\.expression)), signature.result))
    }

    /// The arguments of a user's function, cast to what the first signature that takes them wants. For scalar, table and aggregate functions alike.
    public func arguments(of function: UserFunction, _ call: CallSyntax, _ range: SourceRange) throws(MillstreamError) -> (
        [BoundScalar], UserFunction.Signature
    ) {
        var values: [(name: Identifier?, value: BoundScalar?, range: SourceRange)] = []
        for argument in call.arguments {
            switch argument.value {
            case .expression(let expression): values.append((argument.name, try operand(expression), expression.range))
            case .standard: values.append((argument.name, nil, range))
            case .table, .descriptor: throw source.error("\(function.name) takes values, no tables or descriptors", at: range)
            }
        }
        for signature in function.signatures {
            if let arguments = place(values, signature) { return (arguments, signature) }
        }
        let types = values.map { $0.value.map { $0.isNullLiteral ? "NULL" : $0.type.kind.description } ?? "DEFAULT" }.joined(separator: ", ")
        let forms = function.signatures.map { Self.description(function.name, $0) }
        throw source.error(
            "\(function.name) does not take (\(types))", at: range, hint: forms.isEmpty ? nil : "It takes \(forms.joined(separator: ", or ")).")
    }

    private func place(_ values: [(name: Identifier?, value: BoundScalar?, range: SourceRange)], _ signature: UserFunction.Signature)
        -> [BoundScalar]?
    {
        guard let parameters = signature.parameters else {
            // As they come; NULL has no type to come as.
            return values.allSatisfy { $0.name == nil && $0.value.map { !$0.isNullLiteral } ?? false } ? values.compactMap(\.value) : nil
        }
        var placed: [BoundScalar?] = Array(repeating: nil, count: parameters.count)
        var isGiven = Array(repeating: false, count: parameters.count)
        var rest: [BoundScalar] = []
        for (index, argument) in values.enumerated() {
            var place = index
            if let name = argument.name {
                guard let found = parameters.firstIndex(where: { $0.name == name.text }) else { return nil }
                place = found
            }
            guard place < parameters.count || signature.isVariadic, let last = parameters.last else { return nil }
            let type = place < parameters.count ? parameters[place].type : last.type
            var value = argument.value
            if let known = value {
                guard let fitted = fit(known, type) else { return nil }
                value = fitted
            }
            if place >= parameters.count {
                guard let value else { return nil }
                rest.append(value)
            } else {
                guard !isGiven[place] else { return nil }
                isGiven[place] = true
                placed[place] = value
            }
        }
        var result: [BoundScalar] = []
        for (index, parameter) in parameters.enumerated() {
            if let value = placed[index] {
                result.append(value)
            } else if signature.isVariadic, index == parameters.count - 1, !isGiven[index] {
                break
            } else if parameter.isOptional, let type = parameter.type {
                result.append(BoundScalar(.null(type)))
            } else {
                return nil
            }
        }
        return result + rest
    }

    private func fit(_ value: BoundScalar, _ type: DataType?) -> BoundScalar? {
        guard let type else { return value.isNullLiteral ? nil : value }
        return Conversions.isImplicit(from: value.type, to: type) ? Self.cast(value, to: type) : nil
    }

    private static func description(_ name: String, _ signature: UserFunction.Signature) -> String {
        guard let parameters = signature.parameters else { return "\(name)(...)" }
        var parts = parameters.map { ($0.name.map { "\($0) " } ?? "") + ($0.type?.description ?? "any value") }
        if signature.isVariadic { parts.append("...") }
        return "\(name)(\(parts.joined(separator: ", ")))"
    }
}
