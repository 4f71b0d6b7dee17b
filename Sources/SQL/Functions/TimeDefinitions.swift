enum TimeDefinitions { static let all: [FunctionDefinition] = [] }
enum CollectionDefinitions { static let all: [FunctionDefinition] = [] }
enum ChoiceDefinitions { static let all: [FunctionDefinition] = [] }
enum DocumentDefinitions { static let all: [FunctionDefinition] = [] }
enum SystemDefinitions { static let all: [FunctionDefinition] = [] }
