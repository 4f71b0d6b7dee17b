// Columnar: the data, level 0 of the rooms (docs/architecture.md).
//
// Types (`DataType`, `Schema`), columns and batches in Arrow's layout (`Column`, `Batch`, `Buffer`, `Selection`), builders, kernels (take, filter, concat,
// equality, order, sort), the stable hash (docs/hash.md), Arrow import and export (docs/arrow.md), and the error of all rooms (`MillstreamError`).
//
// Invariants:
// - Columns are immutable. Memory is owned by reference-counted `Buffer`s; slices, selections and gathered text share it. A gathered column of host
//   values borrows them from whatever owns them, which its buffer keeps alive.
// - A column has at most `Column.countLimit` values, and a type nests at most `DataType.depthMax` levels. Whatever makes either from data checks it.
// - The place of a null holds undefined bits in fixed-width columns, and may hold any view in columns of text: validity is looked at before a view.
// - Short views are padded with zeros, and long ones begin with their prefix, so that most comparisons are of two words.
// - No data traps: sizes and counts that come from data give `limitExceeded`, arithmetic wraps or is checked.
//
// Threads: any thread may read and drop columns, batches, buffers and selections. One thread at a time uses a builder or a reader.
//
// Imports: the C library and the Arrow structures of CMillstream; nothing else, and no Foundation.
