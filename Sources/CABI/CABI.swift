/// The C ABI: every function of `include/millstream.h`, and nothing else, is exported here.
///
/// Invariants:
/// - Each exported function is `@c @implementation`, so that the compiler refuses a type that differs from the header's. No Swift error, trap, class
///   or closure crosses the border; each entry goes through `guarded`, which turns a thrown error into a status and an error handle.
/// - Handles are numbers, not addresses (`HandleTable`, `CallTable`): whatever a program passes, nothing is dereferenced that is not ours.
/// - Structs of the program are read through `readStruct`, which checks `struct_size`; strings through `readText`, which checks UTF-8 and copies.
///
/// Threads: any thread may call any function. An environment has a lock of its own; responses and states belong to the thread of their callback.
/// Imports: everything below; no Foundation.
@_exported import CMillstream
