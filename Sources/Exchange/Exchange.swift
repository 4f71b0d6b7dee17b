// Exchange: how rows travel between subtasks.
//
// A producer's `ExchangeWriter` splits batches with a `Partitioner` over `Channel`s; a consumer's `InputGate` merges its channels: rows in the
// order of each channel, watermarks by Flink's valve, barriers aligned, ends counted.
//
// Invariants:
// - A channel has one producer and one consumer, keeps their order, and holds at most its bound in bytes and one message more.
// - What comes before a watermark, a barrier or the end in a writer comes before it in every channel: pending rows are flushed first.
// - Rows are never copied to be split; they are copied only to make one batch of many small ones.
//
// Threads: a channel may be used by its two ends at once. Writers and gates belong to one subtask. Nothing here blocks: who finds a channel
// full or empty goes away and is woken through `Wakeable`, so that a simulation owns every hand-over.
//
// Imports: Columnar, Dataflow.
