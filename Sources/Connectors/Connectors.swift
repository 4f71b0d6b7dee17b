// The ends of the dataflow: one folder per system, both ends of it side by side, and `Formats` for what the bytes mean.
//
// Invariants:
// - `SourceFactory` and `SinkFactory` are the only doors: a description of Plan goes in, a `Source` or `Sink` of Dataflow comes out.
// - Positions live in splits and committables, in the encoding of `StateEncoding.swift`; what comes back from a checkpoint is checked before it is used.
// - Bytes from outside never trap: every decoder works within the bounds of its chunk, and refuses with a place and a reason.
// - Whatever a sink makes durable goes through `Storage`; nothing is visible under its final name before it is synced.
// Threads: a reader, writer, enumerator or committer is called by one thread at a time; a source or sink itself may be shared.
// May import: Columnar, Dataflow, Plan, the C libraries of its formats, Glibc and Synchronization. Not Operators, State or Exchange.
