/// The stations of a row between source and sink: one operator a file, expressions and windows in folders of their own.
///
/// Invariants: an operator works on whole batches, and on those of one subtask; it never blocks, and says `more` where it has more to give than there is room for; an
/// error names the record by its index in the operator's input. `OperatorFactory` makes the operator that a node of the plan names.
/// Threads: one at a time per operator, handed over by the runtime. May import Columnar, Dataflow, Plan and State.
