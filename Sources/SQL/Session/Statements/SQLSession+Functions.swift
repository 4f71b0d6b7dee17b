import Columnar
import Expressions

extension SQLSession {
    private static let languages = ["C", "JAVA", "PYTHON", "SCALA"]

    func create(_ syntax: CreateFunctionSyntax, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        let function = try definition(syntax, source)
        if syntax.isSystem {
            guard syntax.name.parts.count == 1 else { throw source.error("a system function's name has one part", at: syntax.name.range) }
            let name = syntax.name.parts[0].text
            if catalogs.systemFunctions[CatalogManager.functionName(name)] != nil {
                if syntax.ifNotExists { return .ok }
                throw source.error("there is a temporary system function '\(name)' already", at: syntax.name.range)
            }
            catalogs.putSystemFunction(name, function)
            return .ok
        }
        let path = try functionPath(syntax.name, source)
        if syntax.isTemporary {
            if catalogs.temporaryFunction(at: path) != nil {
                if syntax.ifNotExists { return .ok }
                throw source.error("there is a temporary function '\(path)' already", at: syntax.name.range)
            }
            catalogs.putTemporaryFunction(function, at: path)
            return .ok
        }
        try checkDatabase(path, syntax.name, source)
        let catalog = try catalogs.catalog(path.catalog)
        if try catalog.function(path.name, in: path.database) != nil {
            if syntax.ifNotExists { return .ok }
            throw source.error(
                "there is a function '\(path)' already", at: syntax.name.range, hint: "CREATE FUNCTION IF NOT EXISTS leaves it as it is.")
        }
        try catalog.putFunction(path.name, in: path.database, function)
        return .ok
    }

    private func definition(_ syntax: CreateFunctionSyntax, _ source: SourceText) throws(MillstreamError) -> CatalogFunction {
        let language = syntax.language ?? "JAVA"
        guard Self.languages.contains(language) else {
            throw source.error(
                "there are no functions in the language \(language)", at: syntax.name.range,
                hint: NearestName.hint(language, among: Self.languages) ?? "PYTHON, C.")
        }
        let resources = syntax.resources.map { CatalogFunction.Resource(kind: $0.key, path: $0.value) }
        if language == "C" {
            guard !resources.isEmpty, resources.allSatisfy({ $0.kind == "LIBRARY" || $0.kind == "FILE" }) else {
                throw source.error("a function in C needs its library", at: syntax.name.range, hint: "… LANGUAGE C USING LIBRARY 'libm.so.6'.")
            }
        }
        return CatalogFunction(language: language, definition: syntax.definition, resources: resources, options: try options(syntax.options, source))
    }

    private func functionPath(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ObjectPath {
        let path = try self.path(name, source)
        return ObjectPath(path.catalog, path.database, CatalogManager.functionName(path.name))
    }

    func alter(_ syntax: CreateFunctionSyntax, ifExists: Bool, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        guard !syntax.isTemporary else {
            throw source.error(
                "temporary functions are not altered", at: syntax.name.range, hint: "DROP TEMPORARY FUNCTION, and CREATE it again.",
                code: .unsupported)
        }
        let path = try functionPath(syntax.name, source)
        let function = try definition(syntax, source)
        guard let catalog = catalogs.registrations[path.catalog]?.catalog, try catalog.database(path.database) != nil,
            try catalog.function(path.name, in: path.database) != nil
        else {
            if ifExists { return .ok }
            throw try missingFunction(syntax.name, path, source)
        }
        try catalog.putFunction(path.name, in: path.database, function)
        return .ok
    }

    func dropFunction(_ syntax: DropSyntax, _ source: SourceText) throws(MillstreamError) {
        if syntax.isSystem {
            guard syntax.name.parts.count == 1 else { throw source.error("a system function's name has one part", at: syntax.name.range) }
            let name = syntax.name.parts[0].text
            guard catalogs.systemFunctions[CatalogManager.functionName(name)] != nil else {
                if syntax.ifExists { return }
                throw source.error(
                    "there is no temporary system function '\(name)'", at: syntax.name.range,
                    hint: NearestName.hint(name, among: catalogs.systemFunctions.names))
            }
            return catalogs.removeSystemFunction(name)
        }
        let path = try functionPath(syntax.name, source)
        if syntax.isTemporary {
            guard catalogs.temporaryFunction(at: path) != nil else {
                if syntax.ifExists { return }
                throw source.error("there is no temporary function '\(path)'", at: syntax.name.range)
            }
            return catalogs.removeTemporaryFunction(at: path)
        }
        if catalogs.temporaryFunction(at: path) != nil {
            throw source.error(
                "there is a temporary function '\(path)'; it goes first", at: syntax.name.range, hint: "DROP TEMPORARY FUNCTION \(path.quoted).")
        }
        guard let catalog = catalogs.registrations[path.catalog]?.catalog, try catalog.database(path.database) != nil,
            try catalog.function(path.name, in: path.database) != nil
        else {
            if syntax.ifExists { return }
            throw try missingFunction(syntax.name, path, source)
        }
        try catalog.removeFunction(path.name, in: path.database)
    }

    private func missingFunction(_ name: QualifiedName, _ path: ObjectPath, _ source: SourceText) throws(MillstreamError) -> MillstreamError {
        do { try checkDatabase(path, name, source) } catch { return error }
        let last = name.parts[name.parts.count - 1]
        let known = try catalogs.userFunctionNames(in: path.catalog, path.database)
        return source.error("there is no function '\(path)'", at: last.range, hint: NearestName.hint(last.text, among: known))
    }

    // MARK: Files

    /// There is no JVM to load it into: the path is kept for SHOW JARS, so that scripts written for Flink run on.
    func addJar(_ path: String) -> ResultTable {
        if !jars.contains(where: { $0.isSame(as: path) }) { jars.append(path) }
        return .ok
    }

    func removeJar(_ path: String, _ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> ResultTable {
        guard let index = jars.firstIndex(where: { $0.isSame(as: path) }) else {
            throw source.error("no jar '\(path)' was added", at: range, hint: NearestName.hint(path, among: jars))
        }
        jars.remove(at: index)
        return .ok
    }
}
