/*
 * millstream.h: stateful stream processing inside your process.
 *
 * A program makes an environment, adds nodes (sources, operators, sinks) to it, and executes it as a job. Rows are columnar; they cross this border
 * as Arrow C structs. Functions of the program are called with a whole batch at a time.
 *
 * Rules that hold for every function:
 * - A function that can fail returns a millstream_status and takes a `millstream_error **` (may be NULL), which it sets only when it fails. The caller
 *   frees the error. There is no global last error.
 * - Handles are opaque and checked: NULL, freed, foreign or stale handles give MILLSTREAM_INVALID_HANDLE, never a crash. Each `_create` has a `_free`,
 *   which accepts NULL and a handle that was freed already.
 * - Strings are UTF-8 and NUL-terminated; those passed in are copied. Strings returned by a handle live until the handle is freed.
 * - Any thread may call any function, unless its comment says otherwise. An environment is built by one thread at a time.
 */
#ifndef MILLSTREAM_H
#define MILLSTREAM_H

#include <stddef.h>
#include <stdint.h>

#include "millstream_arrow.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ------------------------------------------------------------------------------------------------------------------------------ */

/* Rises when a function or struct changes incompatibly. */
#define MILLSTREAM_ABI_VERSION 1

uint32_t millstream_abi_version(void);
/* "0.1.0"; lives for ever. */
const char *millstream_version(void);

/* ---- Errors ------------------------------------------------------------------------------------------------------------------------------- */

typedef enum millstream_status {
    MILLSTREAM_OK = 0,
    MILLSTREAM_INVALID_ARGUMENT = 1,
    MILLSTREAM_INVALID_HANDLE = 2,
    MILLSTREAM_INVALID_STATE = 3,
    MILLSTREAM_CONFIGURATION = 4,
    MILLSTREAM_PLAN = 5,
    MILLSTREAM_TYPE_MISMATCH = 6,
    MILLSTREAM_DECODE = 7,
    MILLSTREAM_IO = 8,
    MILLSTREAM_USER_FUNCTION = 9,
    MILLSTREAM_KEY = 10,
    MILLSTREAM_EVENT_TIME = 11,
    MILLSTREAM_CANCELLED = 12,
    MILLSTREAM_LIMIT_EXCEEDED = 13,
    MILLSTREAM_ARITHMETIC = 14,
    MILLSTREAM_UNSUPPORTED = 15,
    MILLSTREAM_INTERNAL = 16,
    /* Nobody knows whether a sink's prepared results became visible; they are kept. */
    MILLSTREAM_COMMIT_UNKNOWN = 17
} millstream_status;

typedef struct millstream_error millstream_error;

millstream_status millstream_error_status(const millstream_error *error);
/* One sentence. */
const char *millstream_error_message(const millstream_error *error);
/* What to do, or NULL. */
const char *millstream_error_hint(const millstream_error *error);
/* The operator's name, or NULL. */
const char *millstream_error_operator(const millstream_error *error);
/* The record's index in the operator's input so far, or -1. */
int64_t millstream_error_record(const millstream_error *error);
/* The exception that a function gave to millstream_response_fail, or NULL; borrowed from the error. */
void *millstream_error_exception(const millstream_error *error);
/* The text of a failure that came while the job was ending with this one (in CLOSE), or NULL from the index on at which there are no more. */
const char *millstream_error_suppressed(const millstream_error *error, int32_t index);
void millstream_error_free(millstream_error *error);

/* ---- Values of the host language (OBJECT columns) ------------------------------------------------------------------------------------------ */

/* Adds one value, in the host's own form, to what a checkpoint takes. */
typedef void (*millstream_append)(void *target, const uint8_t *bytes, int64_t length);

/* What the engine may do with opaque values. Each function may be called from any thread and takes a run of handles; NULL entries stand for null.
 * `release` must not wait for a lock that is held while the host runs user code. */
typedef struct millstream_host_objects {
    uint32_t struct_size;
    void (*retain)(void *const *handles, intptr_t count);
    void (*release)(void *const *handles, intptr_t count);
    /* Writes the stable hash (docs/hash.md) of each; returns -1, or the index of the first value that can be no key. */
    intptr_t (*hash)(void *const *handles, intptr_t count, uint64_t *hashes);
    /* 1 equal, 0 not, -1 the comparison failed. */
    int32_t (*equal)(void *left, void *right);
    /* -1, 0, 1, or 2 if there is no order. */
    int32_t (*compare)(void *left, void *right);
    /* Writes at most `capacity` bytes of UTF-8; returns how many. */
    intptr_t (*describe)(void *handle, uint8_t *text, intptr_t capacity);
    /* Gives back an exception that an error held. */
    void (*release_exception)(void *exception);
    /* Optional, both or neither: without them no checkpoint can hold OBJECT values. No handle is NULL. */
    /* Calls `append` once for each value, in order, with bytes that `decode` understands in another process. Returns -1, or the index of the first value that
     * cannot be written, and then says why: at most `capacity` bytes of UTF-8 that end with 0, where what follows a newline is what to do about it. */
    intptr_t (*encode)(void *const *handles, intptr_t count, millstream_append append, void *target, uint8_t *problem, intptr_t capacity);
    /* Writes a handle with a reference for each; what is read may come from anybody who can write to the disk. Returns -1, or the index of the first that is
     * refused, as `encode` does; then the handles before it are the engine's. */
    intptr_t (*decode)(
        const uint8_t *const *values, const int64_t *lengths, intptr_t count, void **handles, uint8_t *problem, intptr_t capacity);
} millstream_host_objects;

/* Registers the host's table: once per process, before the first OBJECT column or exception crosses. The table is copied. */
millstream_status millstream_register_host_objects(const millstream_host_objects *objects, millstream_error **error);

/* ---- Environment -------------------------------------------------------------------------------------------------------------------------- */

/* A job under construction. */
typedef struct millstream_environment millstream_environment;
/* A node of an environment, 0, 1, 2, ... in the order of creation. */
typedef int32_t millstream_node;

millstream_status millstream_environment_create(millstream_environment **environment, millstream_error **error);
void millstream_environment_free(millstream_environment *environment);

/* Options by Flink's keys: "parallelism.default", "pipeline.max-parallelism", "execution.buffer-timeout.interval" ("100 ms"),
 * "execution.runtime-mode" (STREAMING, BATCH, AUTOMATIC), "pipeline.operator-chaining.enabled", "pipeline.auto-watermark-interval" ("200 ms",
 * of event time: by how much a watermark advances before it goes out anew; "0 ms": after every row that advances it), and Millstream's own:
 * "millstream.workers", "millstream.batch.rows", "millstream.exchange.memory" ("4 mb"), "millstream.seed", "millstream.event-time.stall-warning" ("60 s":
 * how long event time may stand still while rows come, until a line on standard error says so; "0 ms": never). Those of checkpoints and restarts are in
 * docs/checkpoints.md, those of the state backend ("state.backend.type": hashmap or rocksdb) in docs/state-backends.md. An unknown key or a value of the wrong
 * form is refused. */
millstream_status millstream_environment_configure(
    millstream_environment *environment, const char *key, const char *value, millstream_error **error);

/* The plan as JSON, in the form of Flink's get_execution_plan. The caller frees it with millstream_string_free. */
millstream_status millstream_environment_plan_json(millstream_environment *environment, char **json, millstream_error **error);
void millstream_string_free(char *string);

/* ---- Properties of a node ------------------------------------------------------------------------------------------------------------------ */

/* Keys: "name", "uid", "parallelism", "max-parallelism", "chaining" (always, head, never), "buffer-timeout" (milliseconds), "slot-sharing-group",
 * "dead-letters", "defined-at" ("file:line" of the user's program, for messages).
 * "dead-letters" names a side output. Of a process function: the one whose rows are counted as failed records. Of a file source: where the records go that
 * do not decode, instead of failing the job; the call declares it, as ROW<file STRING, line BIGINT, column BIGINT, offset BIGINT, length BIGINT,
 * field STRING, text STRING, error STRING> (docs/dead-letters.md), and must come before the calls that read it. MILLSTREAM_PLAN for any other source, or a name
 * that the source has given to another output; MILLSTREAM_CONFIGURATION together with "skip-malformed". */
millstream_status millstream_node_set(
    millstream_environment *environment, millstream_node node, const char *key, const char *value, millstream_error **error);
/* Declares a side output that the node's function may emit to. */
millstream_status millstream_node_add_side_output(
    millstream_environment *environment, millstream_node node, const char *tag, const char *schema, millstream_error **error);
/* The node's output schema in the text form below; the caller frees it with millstream_string_free. */
millstream_status millstream_node_schema(millstream_environment *environment, millstream_node node, char **schema, millstream_error **error);

/* A stream: a node's main output or one of its side outputs, and how its rows are spread over whoever reads it. */
typedef enum millstream_partitioning {
    MILLSTREAM_FORWARD = 0,
    MILLSTREAM_REBALANCE = 1,
    MILLSTREAM_RESCALE = 2,
    MILLSTREAM_SHUFFLE = 3,
    MILLSTREAM_BROADCAST = 4,
    MILLSTREAM_GLOBAL = 5,
    MILLSTREAM_HASH = 6,
    MILLSTREAM_CUSTOM = 7
} millstream_partitioning;

typedef struct millstream_function millstream_function;

typedef struct millstream_input {
    uint32_t struct_size;
    millstream_node node;
    /* NULL: the main output. */
    const char *side_output;
    millstream_partitioning partitioning;
    /* HASH and CUSTOM: positions of the key columns. Columns that a key selector appended come behind the schema's. */
    const int32_t *keys;
    int32_t key_count;
    /* CUSTOM: a function for MILLSTREAM_OPERATION_PARTITION. It gets `keys`, and the records in `columns`, for its messages. */
    millstream_function *partitioner;
} millstream_input;

/* ---- Schemas ------------------------------------------------------------------------------------------------------------------------------- */

/* A schema is text in Flink's type syntax:
 *   "BIGINT"                              a stream of bare values
 *   "ROW<word STRING, n BIGINT NOT NULL>" rows with named fields
 *   "TUPLE<STRING, BIGINT>"               tuples; the fields are called f0, f1, ...
 *   "OBJECT"                              values of the host language
 * Types: BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p, s), CHAR(n), VARCHAR(n), STRING, BINARY(n), VARBINARY(n), BYTES, DATE,
 * TIME(p), TIMESTAMP(p), TIMESTAMP_LTZ(p), INTERVAL YEAR TO MONTH, INTERVAL DAY TO SECOND(p), ARRAY<t>, MAP<k, v>, MULTISET<t>, ROW<...>,
 * RAW('name'), OBJECT; each may be followed by NOT NULL. Names with other than letters, digits and _ stand in backquotes. */

/* Checks a schema and gives its canonical text; the caller frees it with millstream_string_free. */
millstream_status millstream_schema_parse(const char *schema, char **canonical, millstream_error **error);
/* The Arrow schema of a schema's text (a struct type); `out` is released by the caller. */
millstream_status millstream_schema_to_arrow(const char *schema, struct ArrowSchema *out, millstream_error **error);
/* The text of an Arrow schema; the caller frees it with millstream_string_free. Does not release `arrow`. */
millstream_status millstream_schema_from_arrow(const struct ArrowSchema *arrow, char **schema, millstream_error **error);

/* Imports an Arrow array (moved: the call takes it over in every case) and exports it again as `out`: checks everything that can be checked. With
 * `compatible`, text is exported with offsets instead of views, for consumers that know no views. */
millstream_status millstream_arrow_copy(
    struct ArrowArray *array, const struct ArrowSchema *schema, int32_t compatible, struct ArrowArray *out, struct ArrowSchema *out_schema,
    millstream_error **error);

/* ---- Functions of the program ---------------------------------------------------------------------------------------------------------------- */

/* What the engine asks of a function; docs/host-functions.md describes inputs and outputs of each. */
typedef enum millstream_operation {
    MILLSTREAM_OPERATION_OPEN = 0,
    MILLSTREAM_OPERATION_CLOSE = 1,
    MILLSTREAM_OPERATION_TRANSFORM = 2,
    MILLSTREAM_OPERATION_EXTRACT_TIMESTAMPS = 3,
    MILLSTREAM_OPERATION_PARTITION = 4,
    MILLSTREAM_OPERATION_REDUCE = 5,
    MILLSTREAM_OPERATION_ACCUMULATE = 6,
    MILLSTREAM_OPERATION_RESULT = 7,
    MILLSTREAM_OPERATION_MERGE = 8,
    MILLSTREAM_OPERATION_PROCESS = 9,
    MILLSTREAM_OPERATION_TIMERS = 10,
    MILLSTREAM_OPERATION_WINDOW = 11,
    MILLSTREAM_OPERATION_READ = 12,
    MILLSTREAM_OPERATION_WRITE = 13,
    MILLSTREAM_OPERATION_FLUSH = 14,
    MILLSTREAM_OPERATION_WATERMARK = 15,
    MILLSTREAM_OPERATION_ASYNC_START = 16,
    MILLSTREAM_OPERATION_ASYNC_POLL = 17,
    MILLSTREAM_OPERATION_SNAPSHOT = 18,
    MILLSTREAM_OPERATION_RESTORE = 19,
    MILLSTREAM_OPERATION_COMMIT = 20
} millstream_operation;

/* Handles of a request: good until the callback returns, and only on the callback's own thread. */
typedef struct millstream_response millstream_response;
typedef struct millstream_state millstream_state;
/* Says that results can be asked for. Good on any thread, and for ever: after the node's end it does nothing. */
typedef struct millstream_notifier millstream_notifier;

/* Bytes of the program's own. */
typedef struct millstream_bytes {
    const uint8_t *bytes;
    int64_t length;
} millstream_bytes;

/* One crossing. Everything in it is only valid until the function returns. Pointers that an operation does not use are NULL. To keep an array's memory
 * for longer, move the array out, as Arrow allows: copy the structure, set `release` of the original to NULL, and release the copy some day. */
typedef struct millstream_request {
    uint32_t struct_size;
    int32_t operation;
    /* Rows, keys, timers or windows, as the operation says. */
    int64_t count;
    /* A struct array, and its type. Handles of OBJECT columns (int64 in Arrow's eyes) are borrowed. */
    struct ArrowArray *columns;
    struct ArrowSchema *schema;
    struct ArrowArray *keys;
    struct ArrowSchema *key_schema;
    /* Milliseconds; INT64_MIN where a row has none. */
    const int64_t *timestamps;
    /* +I 0, -U 1, +U 2, -D 3. NULL: all inserts. */
    const int8_t *row_kinds;
    /* REDUCE, ACCUMULATE: for each row an index into `accumulators`. */
    /* ASYNC_START: for each row the slot that it is in until ASYNC_POLL is done with it. */
    const int32_t *slots;
    struct ArrowArray *accumulators;
    struct ArrowSchema *accumulator_schema;
    /* WINDOW: `count` each; milliseconds, end exclusive. NULL for count windows. */
    const int64_t *window_starts;
    const int64_t *window_ends;
    /* WINDOW: count + 1 positions in `columns`. */
    const int32_t *element_offsets;
    const int64_t *integers;
    int32_t integer_count;
    /* What millstream_response_resume gave in the call before, or 0. */
    int64_t resumption;
    /* PROCESS, TIMERS, WINDOW: keyed state and timers. PROCESS, TIMERS, OPEN, SNAPSHOT, and of sources and sinks READ, WRITE, FLUSH: operator state. */
    millstream_state *state;
    millstream_response *response;
    /* PROCESS of a node with two inputs: 0 or 1, the input that the rows, with their schema, are of. */
    int32_t input;
    /* OPEN, ASYNC_START and ASYNC_POLL of a millstream_async node: always the same one. */
    millstream_notifier *notifier;
    /* RESTORE: what a SNAPSHOT gave, or nothing. COMMIT: what FLUSH gave, in one run or another. */
    const millstream_bytes *payloads;
    int32_t payload_count;
} millstream_request;

/* Returns 0, or anything else after millstream_response_fail. Must not throw or jump through the engine. Called from the engine's threads; one
 * instance is never called twice at once. */
typedef int32_t (*millstream_callback)(void *context, const millstream_request *request);

/* What a source's or sink's function knows beyond reading and writing: the engine asks for nothing else. */
enum {
    /* SNAPSHOT and RESTORE: it goes on where a checkpoint is. */
    MILLSTREAM_CAN_SNAPSHOT = 1,
    /* A sink: FLUSH gives committables, and COMMIT makes them visible, once however often it is asked to. */
    MILLSTREAM_CAN_COMMIT = 2
};

typedef struct millstream_function_options {
    uint32_t struct_size;
    /* For messages. */
    const char *name;
    void *context;
    millstream_callback call;
    /* Called once when nothing needs `context` any more; may be NULL. */
    void (*release)(void *context);
    /* A context for one subtask; NULL: all subtasks share `context`. Gives NULL for failure. The instance is released by `release`. */
    void *(*instantiate)(void *context);
    /* Joins two functions for TRANSFORM into one: fills `joined` (its context is released separately) and returns 1, or returns 0. May be NULL. The
     * first may be for REDUCE: the joined function is one as well, which sends its running results through the second before it emits them, with
     * parents; a function that does not want that returns 0. */
    int32_t (*fuse)(void *first, void *second, struct millstream_function_options *joined);
    /* What it emits; for REDUCE and ACCUMULATE the running or final results. */
    const char *output_schema;
    /* REDUCE, ACCUMULATE, MERGE: the type of an accumulator. NULL: none. */
    const char *accumulator_schema;
    /* A key selector: the types of the key columns that it emits behind its output's, as a TUPLE<...>. NULL: none. */
    const char *key_schema;
    /* Not 0: text and bytes cross with 32-bit offsets (Arrow's utf8 and binary), in and out, instead of views. Costs a copy, but is easier to write. */
    int32_t compatible;
    /* MILLSTREAM_CAN_SNAPSHOT and MILLSTREAM_CAN_COMMIT, or 0. */
    uint32_t capabilities;
} millstream_function_options;

/* Takes `context` over, unless it fails. */
millstream_status millstream_function_create(
    const millstream_function_options *options, millstream_function **function, millstream_error **error);
/* Nodes that use the function keep it alive. */
void millstream_function_free(millstream_function *function);

/* Emits rows. `columns` is a struct array of the function's output schema (and key columns behind it), moved: the call takes it over in every case; each
 * non-null handle in an OBJECT column gives a reference to the engine. `side_output` NULL: the main output. `parents` (one per row, or NULL for "the
 * same rows") are the input rows that the rows came from. `timestamps` NULL: the parents'. `key_hashes` NULL: the engine computes them. All copied. */
millstream_status millstream_response_emit(
    millstream_response *response, const char *side_output, struct ArrowArray *columns, const int32_t *parents, const int64_t *timestamps,
    const uint64_t *key_hashes, millstream_error **error);
/* New accumulators (REDUCE, ACCUMULATE, MERGE), one per slot, moved. */
millstream_status millstream_response_accumulators(millstream_response *response, struct ArrowArray *accumulators, millstream_error **error);
/* There is more for the same request: call again with this number, not 0. */
void millstream_response_resume(millstream_response *response, int64_t resumption);
/* READ: the source has ended. */
void millstream_response_end(millstream_response *response);
/* READ: nothing at hand; ask again in so many milliseconds. */
void millstream_response_wait(millstream_response *response, int64_t milliseconds);
void millstream_response_integer(millstream_response *response, int64_t value);
/* Not 0: the job stops without finishing, and nobody needs this call's answer. A function that takes long looks between two rows, and fails with
 * MILLSTREAM_CANCELLED, which is told to nobody; states may stay as they are. CLOSE follows. */
int32_t millstream_response_is_cancelled(const millstream_response *response);
/* SNAPSHOT: at most one, for RESTORE; FLUSH: the committables, in their order. The bytes are copied; text in UTF-8 is shown to people as it is. */
void millstream_response_payload(millstream_response *response, const uint8_t *bytes, int64_t length);
/* The five answers of a commit. */
typedef enum millstream_commit_outcome {
    MILLSTREAM_COMMITTED = 0,
    MILLSTREAM_ALREADY_COMMITTED = 1,
    /* Nothing happened; it is worth another try at once. */
    MILLSTREAM_COMMIT_RETRY = 2,
    /* It will never succeed: the job fails. */
    MILLSTREAM_COMMIT_FAILED = 3,
    /* The target may or may not have it: the job stops as COMMIT_UNKNOWN, with everything kept. */
    MILLSTREAM_COMMIT_OUTCOME_UNKNOWN = 4
} millstream_commit_outcome;
/* COMMIT: one for each payload of the request, in their order. `message` may be NULL for the first two. */
void millstream_response_outcome(millstream_response *response, millstream_commit_outcome outcome, const char *message);
/* The function failed at a row of the request (-1: no row). Rows emitted in the same call are those of the rows before: TRANSFORM, REDUCE, PROCESS, TIMERS, WINDOW and
 * ASYNC_POLL (of which `row` is a slot) pass them on before the job fails. `exception` (or NULL) is taken over and comes out of
 * millstream_error_exception. */
void millstream_response_fail(
    millstream_response *response, millstream_status status, const char *message, int64_t row, void *exception);

/* ---- A clock that only the program moves, for tests ---------------------------------------------------------------------------------------------- */

/* Processing time of the jobs of the environments that it is given to: timers, windows, state time-to-live, idleness, periodic watermarks, times at which
 * files roll. It stands still until millstream_clock_advance. What sources wait for and buffer timeouts go by the machine's clock. */
typedef struct millstream_clock millstream_clock;

/* Starts at so many milliseconds since 1970-01-01 UTC. */
millstream_status millstream_clock_create(int64_t start, millstream_clock **clock, millstream_error **error);
/* Environments and jobs that have the clock keep it; without the handle nobody moves it any more. */
void millstream_clock_free(millstream_clock *clock);
/* For jobs that start from now on; NULL: the machine's clock again. */
millstream_status millstream_environment_set_clock(millstream_environment *environment, millstream_clock *clock, millstream_error **error);
millstream_status millstream_clock_now(millstream_clock *clock, int64_t *milliseconds, millstream_error **error);
/* Has the clock go on by so many milliseconds, and returns at once. On its way the clock stops at each time that something is due at, a timer for time t at t,
 * and goes on when everything that follows from it is done. */
millstream_status millstream_clock_advance(millstream_clock *clock, int64_t milliseconds, millstream_error **error);
/* Waits at most so many milliseconds (-1: for ever) until the clock is where it was told to go and its jobs are at rest: nothing is to be done before the
 * clock moves on or something comes from outside, such as a row that a source waits for or the result of an asynchronous function. `is_at_rest`: 1, or 0 if
 * it did not come to that in time. Not for a job's own functions, which would wait for themselves. */
millstream_status millstream_clock_wait(millstream_clock *clock, int64_t milliseconds, int32_t *is_at_rest, millstream_error **error);

/* ---- States and timers of a process function --------------------------------------------------------------------------------------------------- */

/* `state` is the request's; `index` counts the node's states in the order of declaration; `row` is a row (timer, window) of the request, whose key is
 * the current key; for operator state it does not matter. A value lent by a getter lives until the next call with the same state. */

typedef enum millstream_state_kind {
    MILLSTREAM_STATE_VALUE = 0,
    MILLSTREAM_STATE_LIST = 1,
    MILLSTREAM_STATE_MAP = 2,
    MILLSTREAM_STATE_REDUCING = 3,
    MILLSTREAM_STATE_AGGREGATING = 4,
    /* Operator state, one of each subtask, also for streams without keys: a map that all subtasks fill alike from a broadcast stream; a list whose
     * elements are dealt out anew, and one of which each subtask gets all, when a job is restored with another parallelism. */
    MILLSTREAM_STATE_BROADCAST = 5,
    MILLSTREAM_STATE_OPERATOR_LIST = 6,
    MILLSTREAM_STATE_UNION_LIST = 7
} millstream_state_kind;

typedef enum millstream_value_kind {
    MILLSTREAM_VALUE_NULL = 0,
    MILLSTREAM_VALUE_BOOLEAN = 1,
    MILLSTREAM_VALUE_INT64 = 2,
    MILLSTREAM_VALUE_DOUBLE = 3,
    MILLSTREAM_VALUE_BYTES = 4,
    MILLSTREAM_VALUE_OBJECT = 5
} millstream_value_kind;

/* A value at the border. Setters take over a reference to an object and copy bytes; getters lend both. */
typedef struct millstream_value {
    int32_t kind;
    int64_t length; /* BYTES */
    union {
        int64_t integer; /* BOOLEAN, INT64 */
        double number;
        const uint8_t *bytes;
        void *object;
    } as;
} millstream_value;

millstream_status millstream_state_get(millstream_state *state, int32_t index, int64_t row, millstream_value *value, millstream_error **error);
/* A value of kind NULL clears. */
millstream_status millstream_state_set(
    millstream_state *state, int32_t index, int64_t row, const millstream_value *value, millstream_error **error);
/* Any kind of state. */
millstream_status millstream_state_clear(millstream_state *state, int32_t index, int64_t row, millstream_error **error);
/* List and map: how many entries. */
millstream_status millstream_state_count(millstream_state *state, int32_t index, int64_t row, int64_t *count, millstream_error **error);
millstream_status millstream_state_list_get(
    millstream_state *state, int32_t index, int64_t row, int64_t position, millstream_value *value, millstream_error **error);
millstream_status millstream_state_list_add(
    millstream_state *state, int32_t index, int64_t row, const millstream_value *value, millstream_error **error);
millstream_status millstream_state_map_get(
    millstream_state *state, int32_t index, int64_t row, const millstream_value *key, millstream_value *value, millstream_error **error);
/* Takes over references to key and value. */
millstream_status millstream_state_map_put(
    millstream_state *state, int32_t index, int64_t row, const millstream_value *key, const millstream_value *value, millstream_error **error);
millstream_status millstream_state_map_remove(
    millstream_state *state, int32_t index, int64_t row, const millstream_value *key, millstream_error **error);
/* Entry `position` in the order of insertion. */
millstream_status millstream_state_map_entry(
    millstream_state *state, int32_t index, int64_t row, int64_t position, millstream_value *key, millstream_value *value,
    millstream_error **error);

/* Makes all keys that have something in a keyed state rows of the request, `*count` of them from `*first_row` on, until the callback returns: so a
 * broadcast record reaches the states of all keys of the subtask. `keys` and `key_schema` (both or neither NULL) get the keys, to be released by the
 * caller; with a count of 0 they are left as released. */
millstream_status millstream_state_select_keys(
    millstream_state *state, int32_t index, int64_t *first_row, int64_t *count, struct ArrowArray *keys, struct ArrowSchema *key_schema,
    millstream_error **error);

typedef enum millstream_time_domain { MILLSTREAM_EVENT_TIME_DOMAIN = 0, MILLSTREAM_PROCESSING_TIME_DOMAIN = 1 } millstream_time_domain;

millstream_status millstream_timer_register(
    millstream_state *state, int64_t row, millstream_time_domain domain, int64_t milliseconds, millstream_error **error);
millstream_status millstream_timer_delete(
    millstream_state *state, int64_t row, millstream_time_domain domain, int64_t milliseconds, millstream_error **error);
int64_t millstream_state_watermark(millstream_state *state);
int64_t millstream_state_processing_time(millstream_state *state);

/* ---- Expressions ----------------------------------------------------------------------------------------------------------------------------- */

typedef struct millstream_expression millstream_expression;

/* Operation numbers are Plan's: see docs/expressions.md. Operands are not taken over. */
millstream_status millstream_expression_name(const char *name, millstream_expression **out, millstream_error **error);
millstream_status millstream_expression_column(int32_t position, millstream_expression **out, millstream_error **error);
millstream_status millstream_expression_row_time(millstream_expression **out, millstream_error **error);
/* `type` as in a schema; NULL for BOOLEAN, BIGINT, DOUBLE, STRING or BYTES by the value's kind. Text is a BYTES value with a text type. */
millstream_status millstream_expression_literal(
    const millstream_value *value, const char *type, millstream_expression **out, millstream_error **error);
typedef enum millstream_unary {
    MILLSTREAM_NEGATE = 0, MILLSTREAM_NOT = 1, MILLSTREAM_IS_NULL = 2, MILLSTREAM_IS_NOT_NULL = 3, MILLSTREAM_ABSOLUTE = 4
} millstream_unary;
typedef enum millstream_binary {
    MILLSTREAM_ADD = 0, MILLSTREAM_SUBTRACT = 1, MILLSTREAM_MULTIPLY = 2, MILLSTREAM_DIVIDE = 3, MILLSTREAM_REMAINDER = 4, MILLSTREAM_EQUAL = 5,
    MILLSTREAM_NOT_EQUAL = 6, MILLSTREAM_LESS = 7, MILLSTREAM_LESS_OR_EQUAL = 8, MILLSTREAM_GREATER = 9, MILLSTREAM_GREATER_OR_EQUAL = 10,
    MILLSTREAM_AND = 11, MILLSTREAM_OR = 12
} millstream_binary;
millstream_status millstream_expression_unary(
    millstream_unary operation, const millstream_expression *operand, millstream_expression **out, millstream_error **error);
millstream_status millstream_expression_binary(
    millstream_binary operation, const millstream_expression *left, const millstream_expression *right, millstream_expression **out,
    millstream_error **error);
millstream_status millstream_expression_cast(
    const millstream_expression *operand, const char *type, millstream_expression **out, millstream_error **error);
millstream_status millstream_expression_alias(
    const millstream_expression *operand, const char *name, millstream_expression **out, millstream_error **error);
void millstream_expression_free(millstream_expression *expression);

/* ---- Sources ----------------------------------------------------------------------------------------------------------------------------------- */

/* Where timestamps and watermarks come from. */
typedef struct millstream_watermarks {
    uint32_t struct_size;
    /* -1: the rows keep the timestamps that they have. Else the column that holds them (BIGINT milliseconds, TIMESTAMP, TIMESTAMP_LTZ). */
    int32_t timestamp_column;
    /* A function for EXTRACT_TIMESTAMPS; NULL: the column. */
    millstream_function *timestamps;
    /* -1: no watermarks. Else the bound on out-of-orderness in milliseconds; 0: timestamps ascend. */
    int64_t out_of_orderness;
    /* A function for WATERMARK; NULL: the bound. */
    millstream_function *generator;
    /* -1: never idle. */
    int64_t idle_timeout;
    /* 0: none. Else by how many milliseconds a row's timestamp may be ahead of the clock. A row that is further ahead does not move the watermark, and
     * leaves the stream: one far-future timestamp would make all that follows late. */
    int64_t max_future_drift;
    /* The tag of the side output for such rows (declared by the call itself, of the stream's type); NULL: they are counted and dropped. */
    const char *future_output;
    /* NULL: none. Else the name of a group of streams of this environment: one whose watermark is more than `alignment_drift` milliseconds ahead of the
     * group's lowest one waits, and its source with it. Streams that are idle or have ended hold nobody back. */
    const char *alignment_group;
    int64_t alignment_drift;
} millstream_watermarks;

/* All sources: `watermarks` may be NULL. */
millstream_status millstream_source_sequence(
    millstream_environment *environment, int64_t first, int64_t last, const millstream_watermarks *watermarks, millstream_node *node,
    millstream_error **error);

/* Expressions over one BIGINT column, the row's number. `count` -1: without end. `rows_per_second` 0: as fast as it goes. */
millstream_status millstream_source_generator(
    millstream_environment *environment, const millstream_expression *const *columns, int32_t column_count, int64_t count,
    double rows_per_second, const millstream_watermarks *watermarks, millstream_node *node, millstream_error **error);

/* Options by name, NULL-terminated pairs { key, value, key, value, NULL }: "format" (text, csv, json), "projection" ("a,b"), "skip-malformed" (true: records
 * that do not decode are left out and counted; without it they fail the job, or go to the node's "dead-letters"),
 * "monitor-interval" ("1 s"), csv: "csv.delimiter", "csv.quote" (empty: none), "csv.escape", "csv.header" (true), "csv.null-literal", "csv.comment",
 * "csv.ragged" (true). `paths` are files, directories and globs. `schema` is the file's; NULL for text. */
millstream_status millstream_source_files(
    millstream_environment *environment, const char *const *paths, int32_t path_count, const char *schema, const char *const *options,
    const millstream_watermarks *watermarks, millstream_node *node, millstream_error **error);

millstream_status millstream_source_socket(
    millstream_environment *environment, const char *host, int32_t port, char delimiter, int32_t max_retries,
    const millstream_watermarks *watermarks, millstream_node *node, millstream_error **error);

/* Reads an Arrow stream once. Moved: the call takes it over in every case. `shape` is "row", "tuple" or "scalar". */
millstream_status millstream_source_arrow(
    millstream_environment *environment, struct ArrowArrayStream *stream, const char *shape, const millstream_watermarks *watermarks,
    millstream_node *node, millstream_error **error);

/* The same for a table: its batches are kept while the job lives, so that it can be read again from a checkpoint. */
millstream_status millstream_source_table(
    millstream_environment *environment, struct ArrowArrayStream *stream, const char *shape, const millstream_watermarks *watermarks,
    millstream_node *node, millstream_error **error);

/* A function for READ. */
millstream_status millstream_source_function(
    millstream_environment *environment, millstream_function *function, int32_t is_bounded, const millstream_watermarks *watermarks,
    millstream_node *node, millstream_error **error);

/* ---- Operators --------------------------------------------------------------------------------------------------------------------------------- */

millstream_status millstream_transform(
    millstream_environment *environment, const millstream_input *input, millstream_function *function, millstream_node *node,
    millstream_error **error);
/* A function for TRANSFORM with a `key_schema`. Without an `output_schema` it emits the key's columns alone, and the input's rows that they belong to pass
 * on before them; with one it emits its rows and the key's columns behind them. */
millstream_status millstream_key_selector(
    millstream_environment *environment, const millstream_input *input, millstream_function *function, millstream_node *node,
    millstream_error **error);
millstream_status millstream_project(
    millstream_environment *environment, const millstream_input *input, const millstream_expression *const *expressions, int32_t count,
    millstream_node *node, millstream_error **error);
millstream_status millstream_filter(
    millstream_environment *environment, const millstream_input *input, const millstream_expression *condition, millstream_node *node,
    millstream_error **error);
millstream_status millstream_assign_timestamps(
    millstream_environment *environment, const millstream_input *input, const millstream_watermarks *watermarks, millstream_node *node,
    millstream_error **error);
/* The inputs' types may differ in NOT NULL alone, at any level; the union's are nullable wherever one of theirs is. Its names are the first input's. */
millstream_status millstream_union(
    millstream_environment *environment, const millstream_input *inputs, int32_t count, millstream_node *node, millstream_error **error);

/* The keyed operators take their key from `input`, which is partitioned by MILLSTREAM_HASH. */

/* A function for REDUCE; emits the running value for each row; in BATCH mode the last one of each key, when the input has ended. */
millstream_status millstream_reduce(
    millstream_environment *environment, const millstream_input *input, millstream_function *function, millstream_node *node,
    millstream_error **error);
typedef enum millstream_rolling_kind {
    MILLSTREAM_ROLLING_SUM = 0, MILLSTREAM_ROLLING_MIN = 1, MILLSTREAM_ROLLING_MAX = 2, MILLSTREAM_ROLLING_MIN_BY = 3, MILLSTREAM_ROLLING_MAX_BY = 4
} millstream_rolling_kind;
millstream_status millstream_rolling(
    millstream_environment *environment, const millstream_input *input, millstream_rolling_kind kind, int32_t column, millstream_node *node,
    millstream_error **error);

typedef struct millstream_state_declaration {
    const char *name;
    millstream_state_kind kind;
    /* Types as in a schema; OBJECT for values of the host. `key_type` only for maps and broadcast maps. */
    const char *value_type;
    const char *key_type;
} millstream_state_declaration;

/* In OPEN alone: adds an operator state (of the kinds from MILLSTREAM_STATE_BROADCAST on) and gives its number for the functions above; also for the
 * functions of sources and sinks. One of this name, kind and type that is there already is given again, with what is in it; another kind or type of it
 * fails with MILLSTREAM_INVALID_STATE. */
millstream_status millstream_state_declare(
    millstream_state *state, const millstream_state_declaration *declaration, int32_t *index, millstream_error **error);

/* A function for PROCESS and TIMERS. With an input partitioned by MILLSTREAM_HASH it is keyed. */
millstream_status millstream_process(
    millstream_environment *environment, const millstream_input *input, millstream_function *function,
    const millstream_state_declaration *states, int32_t state_count, millstream_node *node, millstream_error **error);

/* A function for PROCESS and TIMERS over two connected streams, which may have different schemas: each request is of one of them, by its `input`.
 * An input partitioned by MILLSTREAM_HASH is keyed, if the other one is as well, by keys of the same types, or is partitioned by
 * MILLSTREAM_BROADCAST. Rows of both with one key share its states and timers. Event-time timers go by the lower watermark of the two. */
millstream_status millstream_co_process(
    millstream_environment *environment, const millstream_input *first, const millstream_input *second, millstream_function *function,
    const millstream_state_declaration *states, int32_t state_count, millstream_node *node, millstream_error **error);

/* A function for ASYNC_START and ASYNC_POLL: it is done with a row some time after it was given it, and calls millstream_notify then. At most `capacity`
 * rows of a subtask are with the function. No result passes a watermark. */
millstream_status millstream_async(
    millstream_environment *environment, const millstream_input *input, millstream_function *function, int32_t capacity, millstream_node *node,
    millstream_error **error);
/* From any thread, also inside a callback: the node asks for results soon (ASYNC_POLL). Never waits, and does nothing when the node has ended. */
void millstream_notify(millstream_notifier *notifier);

typedef enum millstream_window_kind {
    MILLSTREAM_TUMBLING = 0, MILLSTREAM_SLIDING = 1, MILLSTREAM_SESSION = 2, MILLSTREAM_COUNT_WINDOW = 3, MILLSTREAM_SLIDING_COUNT = 4
} millstream_window_kind;

typedef enum millstream_aggregate_kind {
    MILLSTREAM_COUNT_ALL = 0, MILLSTREAM_COUNT = 1, MILLSTREAM_SUM = 2, MILLSTREAM_MIN = 3, MILLSTREAM_MAX = 4, MILLSTREAM_AVERAGE = 5
} millstream_aggregate_kind;

typedef struct millstream_aggregate {
    millstream_aggregate_kind kind;
    /* -1 for COUNT_ALL. */
    int32_t column;
    /* The result column's name. */
    const char *name;
} millstream_aggregate;

typedef struct millstream_window {
    uint32_t struct_size;
    millstream_window_kind kind;
    /* Milliseconds (gap for SESSION), or rows. */
    int64_t size;
    int64_t slide;
    int64_t offset;
    int32_t is_event_time;
    int64_t allowed_lateness;
    /* The tag of the side output for late rows (declared by the call itself); NULL: late rows are counted and dropped. */
    const char *late_output;
    /* Exactly one of the following four is given. */
    const millstream_aggregate *aggregates;
    int32_t aggregate_count;
    /* A function for REDUCE. */
    millstream_function *reduce;
    /* A function for ACCUMULATE, RESULT and MERGE. */
    millstream_function *aggregate;
    /* A function for WINDOW over all elements; or, beside `reduce` or `aggregate`, over the one result. */
    millstream_function *process;
} millstream_window;

/* Native aggregates give rows of the key columns, window_start and window_end (TIMESTAMP_LTZ(3); none for count windows), then the aggregates. */
millstream_status millstream_window_operator(
    millstream_environment *environment, const millstream_input *input, const millstream_window *window, millstream_node *node,
    millstream_error **error);

/* ---- Sinks ------------------------------------------------------------------------------------------------------------------------------------- */

/* Prints to standard output (or error). `prefix` may be NULL. */
millstream_status millstream_sink_print(
    millstream_environment *environment, const millstream_input *input, const char *prefix, int32_t to_error, millstream_node *node,
    millstream_error **error);
/* Where printing goes instead: `write` is called with whole lines from any thread, and by several threads at once: stream 1 and 2 are standard output and error;
 * 3 is what the engine tells of a job that nobody asked (restarts, checkpoints that failed), which is standard error's without `write`. It returns 0, or anything
 * else after millstream_response_fail (with the row -1), which fails the job where a sink prints; nothing else is done with the response. NULL: the process's
 * own. */
typedef int32_t (*millstream_text_output)(void *context, int32_t stream, const char *text, intptr_t length, millstream_response *response);
millstream_status millstream_environment_set_text_output(
    millstream_environment *environment, millstream_text_output write, void *context, millstream_error **error);

/* Options as pairs: "format" (text, csv, json), "rolling.size" ("128 mb"), "rolling.interval" ("60 s"), "rolling.inactivity" ("60 s"), "prefix",
 * "suffix", "time-folders" (a subfolder by the time of writing, e.g. "yyyy-MM-dd--HH") and "time-folders.zone" (local, UTC), and the csv options of the
 * source. `bucket` (or NULL) gives each row's subfolder. In text files a row is a line as it is printed. */
millstream_status millstream_sink_files(
    millstream_environment *environment, const millstream_input *input, const char *directory, const char *const *options,
    const millstream_expression *bucket, millstream_node *node, millstream_error **error);
/* Rows come out of millstream_job_collect. */
millstream_status millstream_sink_collect(
    millstream_environment *environment, const millstream_input *input, millstream_node *node, millstream_error **error);
millstream_status millstream_sink_blackhole(
    millstream_environment *environment, const millstream_input *input, millstream_node *node, millstream_error **error);
/* A function for WRITE and FLUSH. */
millstream_status millstream_sink_function(
    millstream_environment *environment, const millstream_input *input, millstream_function *function, millstream_node *node,
    millstream_error **error);

/* ---- Jobs -------------------------------------------------------------------------------------------------------------------------------------- */

typedef struct millstream_job millstream_job;

typedef enum millstream_job_status {
    MILLSTREAM_JOB_CREATED = 0,
    MILLSTREAM_JOB_RUNNING = 1,
    MILLSTREAM_JOB_FAILING = 2,
    MILLSTREAM_JOB_FAILED = 3,
    MILLSTREAM_JOB_CANCELLING = 4,
    MILLSTREAM_JOB_CANCELED = 5,
    MILLSTREAM_JOB_FINISHED = 6,
    /* Failed, and about to go on from its last checkpoint. */
    MILLSTREAM_JOB_RESTARTING = 7
} millstream_job_status;

/* Starts the environment's nodes as a job and returns at once. The environment may be executed again and changed; the job does not notice. */
millstream_status millstream_environment_execute(
    millstream_environment *environment, const char *job_name, millstream_job **job, millstream_error **error);
/* What a savepoint does to its job. */
typedef enum millstream_savepoint_mode {
    /* The job goes on. */
    MILLSTREAM_SAVEPOINT_CONTINUE = 0,
    /* No record follows the savepoint, and the job finishes with it. Windows that are open are in it, so that a job which starts from it goes on. */
    MILLSTREAM_SAVEPOINT_STOP = 1,
    /* The job's input ends before the savepoint: windows fire, and the job finishes. For a job that is not to be resumed. */
    MILLSTREAM_SAVEPOINT_DRAIN = 2
} millstream_savepoint_mode;

/* Saves the job's state into a new directory below `directory` (an absolute path or file URL; NULL: the option execution.checkpointing.savepoint-dir), and
   returns when it is durable. *path gets the new directory, to be freed with millstream_string_free: what the option execution.state-recovery.path
   takes. Errors: MILLSTREAM_INVALID_STATE if the job does not run (any more), MILLSTREAM_CONFIGURATION without a directory, MILLSTREAM_IO. */
millstream_status millstream_job_savepoint(
    millstream_job *job, const char *directory, millstream_savepoint_mode mode, char **path, millstream_error **error);
/* What is in a savepoint or checkpoint, by the path of its directory, as JSON: [{"uid":"...","name":"...","parallelism":1,"maxParallelism":128,
   "parts":[{"name":"keyed/count","rows":3,"columns":[{"name":"key0","type":"BIGINT"}, ...]}, ...]}, ...]. To be freed with millstream_string_free. */
millstream_status millstream_savepoint_describe(const char *path, char **json, millstream_error **error);
/* The rows of one part of an operator's state, such as "keyed/count": the key's columns key0, key1, ..., then those of the state. Columns of host values
   (OBJECT) come as binary, as the host wrote them down; *columns, if not NULL, gets the names and types of all columns as JSON, as in
   millstream_savepoint_describe, to be freed with millstream_string_free. Errors: MILLSTREAM_INVALID_ARGUMENT for an operator or a part that is not there,
   MILLSTREAM_DECODE for damaged files, MILLSTREAM_IO. */
millstream_status millstream_savepoint_read(
    const char *path, const char *uid, const char *part, struct ArrowArrayStream *out, char **columns, millstream_error **error);
/* What the manifest of a savepoint or checkpoint says, as JSON; no other file is read: {"job":"...","checkpoint":7,"savepoint":true,"triggered":<ms since the
   epoch>,"operators":[{"uid":"...","name":"...","parallelism":1,"maxParallelism":128,"files":[{"subtask":0,"name":"...","bytes":123,"rows":4}, ...]}, ...],
   "properties":{"objects/<uid>/<part>":"plain, or pickle and the classes, a line each","host.python":"3.12.1", ...}}. To be freed with
   millstream_string_free. */
millstream_status millstream_savepoint_manifest(const char *path, char **json, millstream_error **error);
/* The results that sinks have prepared in it, and that a job commits when it starts from there, as JSON: [{"id":"...","uid":"...","name":"...","subtask":0,
   "checkpoint":7,"bytes":123,"description":"..."}, ...]. After MILLSTREAM_COMMIT_UNKNOWN somebody decides about them, with millstream_savepoint_resolve. */
millstream_status millstream_savepoint_commits(const char *path, char **json, millstream_error **error);
/* Makes a copy of a savepoint or checkpoint in the new directory `target`, in which is decided about prepared results: `decisions` is NULL or pairs
   { id, "committed" | "retry" | "aborted", ..., NULL }. What is committed or aborted is not committed when a job starts from the copy; all else is. The
   copy's number is one more. Errors: MILLSTREAM_INVALID_ARGUMENT for an id that is not there, MILLSTREAM_DECODE for damaged files, MILLSTREAM_IO. */
millstream_status millstream_savepoint_resolve(
    const char *path, const char *target, const char *const *decisions, millstream_error **error);

/* Makes savepoints out of rows, and out of other savepoints. One thread at a time. */
typedef struct millstream_savepoint_writer millstream_savepoint_writer;
/* `base`: the savepoint or checkpoint whose operators are carried over, which stays as it is; NULL: none. `max_parallelism` is that of operators that are
   new; 0: 128. */
millstream_status millstream_savepoint_writer_create(
    const char *base, int32_t max_parallelism, millstream_savepoint_writer **writer, millstream_error **error);
/* Gives the operator `uid`, which is made with `name` (may be NULL) where it is not there, the rows of a part of its state, in place of those that it had:
   "keyed/count" with the key's columns key0, key1, ... and value, element, or map_key and map_value; "timers/event" with key0, ..., time, number;
   "operator/list/x" with element; and so on (docs/state-format.md). `types` is NULL or pairs { column, type, ..., NULL } of the types that the columns have in
   the job; else they have those that they had, or those of the stream. OBJECT columns come as binary, as the host writes them down. Takes the stream. */
millstream_status millstream_savepoint_writer_put(
    millstream_savepoint_writer *writer, const char *uid, const char *name, const char *part, const char *const *types, struct ArrowArrayStream *rows,
    millstream_error **error);
/* Removes an operator, or a part of its state (NULL: all). */
millstream_status millstream_savepoint_writer_remove(
    millstream_savepoint_writer *writer, const char *uid, const char *part, millstream_error **error);
/* Gives an operator another uid. */
millstream_status millstream_savepoint_writer_rename(
    millstream_savepoint_writer *writer, const char *uid, const char *other, millstream_error **error);
/* Writes a savepoint into the new directory `path`, and returns when it is durable. */
millstream_status millstream_savepoint_writer_write(millstream_savepoint_writer *writer, const char *path, millstream_error **error);
/* NULL is nothing to free. */
void millstream_savepoint_writer_free(millstream_savepoint_writer *writer);
/* What would become of the state in a savepoint if the environment's nodes were executed from it, as JSON; nothing runs. Each operator of the one or the
   other has entries: [{"uid":"...","name":"...","states":["keyed/count"],"outcome":"kept","reason":"..."}, ...]. The outcomes: "kept"; "migrated": kept, in
   other types or columns; "carried": no operator asks for it, and it is written again; "rebuilt": the savepoint has none of it, so that it begins empty; "lost":
   left behind, where that is allowed; "refused": the job would not start. */
millstream_status millstream_environment_plan_diff(
    millstream_environment *environment, const char *path, char **json, millstream_error **error);
/* The same of a job that runs, all of it at one moment: as a savepoint that is kept in memory. The job goes on. */
millstream_status millstream_job_state(
    millstream_job *job, const char *uid, const char *part, struct ArrowArrayStream *out, char **columns, millstream_error **error);
/* The job's last checkpoints and savepoints as JSON, the oldest first: [{"id":1,"savepoint":false,"triggered":<ms since the epoch>,"millis":3,"bytes":4711,
   "completed":true,"unaligned":false,"inFlightBytes":0,"failure":null,"location":"/..."}, ...]. To be freed with millstream_string_free. */
millstream_status millstream_job_checkpoints_json(millstream_job *job, char **json, millstream_error **error);
/* What the job's attempts failed with as JSON, the oldest first: [{"time":<ms since the epoch>,"code":9,"message":"...","operator":"map"}, ...]. */
millstream_status millstream_job_failures_json(millstream_job *job, char **json, millstream_error **error);
/* Cancels the job if it runs, waits for it, and forgets it; if streams of its sinks are left, it goes on until the last of them is released. */
void millstream_job_free(millstream_job *job);
millstream_status millstream_job_get_status(millstream_job *job, millstream_job_status *status, millstream_error **error);
/* Waits until the job has ended or so many milliseconds have passed (-1: for ever); gives the status then. A failed job is no error of this call. */
millstream_status millstream_job_wait(millstream_job *job, int64_t milliseconds, millstream_job_status *status, millstream_error **error);
/* Asks the job to stop; does nothing if it has. */
millstream_status millstream_job_cancel(millstream_job *job, millstream_error **error);
/* Sets *failure to the job's failure, to be freed by the caller, or to NULL if it has none. */
millstream_status millstream_job_failure(millstream_job *job, millstream_error **failure, millstream_error **error);
/* The counters of each operator and subtask as JSON; freed with millstream_string_free. */
millstream_status millstream_job_metrics_json(millstream_job *job, char **json, millstream_error **error);
typedef enum millstream_text_format { MILLSTREAM_TEXT = 0, MILLSTREAM_JSON = 1 } millstream_text_format;
/* Why event time stands where it stands, now (of a job that has ended: at its end): the watermark of every source and task, who waits for which time, who holds
 * it back, what is idle, rows that wait and rows that were late. As lines for a person, or as JSON whose times are milliseconds since the epoch, null
 * before the first watermark. Never waits for a function that does not return. Free the text with millstream_string_free. */
millstream_status millstream_job_explain_time(millstream_job *job, millstream_text_format format, char **text, millstream_error **error);
/* The next rows of a collecting sink, waiting at most so many milliseconds (-1: for ever). *state: 1 rows were given, 0 none yet, -1 no more come. With
 * `row_kinds` and `timestamps` not 0, hidden columns `$row_kind` (int8) and `$timestamp` (int64) stand behind the others. */
millstream_status millstream_job_collect(
    millstream_job *job, millstream_node sink, int64_t milliseconds, int32_t row_kinds, int32_t timestamps, struct ArrowArray *rows,
    struct ArrowSchema *schema, int32_t *state, millstream_error **error);
/* A collecting sink as an Arrow stream, which keeps the job alive. `compatible` as in millstream_arrow_copy. */
millstream_status millstream_job_collect_stream(
    millstream_job *job, millstream_node sink, int32_t compatible, struct ArrowArrayStream *out, millstream_error **error);

/* ---- SQL ---------------------------------------------------------------------------------------------------------------------------------------- */

/* A session: catalogs, options, and what statements made in them. One thread at a time. */
typedef struct millstream_sql millstream_sql;
/* A session whose jobs are configured, and print, as those of `environment` (which lives on its own; its nodes are not part of them). */
millstream_status millstream_sql_create(millstream_environment *environment, millstream_sql **session, millstream_error **error);
void millstream_sql_free(millstream_sql *session);
/* Runs one statement of Flink's SQL; a `;` may end it. A query or an INSERT starts a job and does not wait for it.
   *rows, if not NULL, gets the result as a stream of Arrow batches: of a query its changes, with a hidden column `$row_kind` (int8: 0 +I, 1 -U, 2 +U, 3 -D) behind the others,
   and each asks the job for more; of other statements the rows that they give. *job, if not NULL, gets the job, or NULL where there is none; without it and without a stream
   the job is cancelled. *description, if not NULL, gets as JSON: {"kind":"SUCCESS_WITH_CONTENT","sink":<the collecting sink's node, or -1>,"insertOnly":true,"key":[0],
   "columns":[{"name":"a","type":"INT NOT NULL","text":"TIMESTAMP(3) *ROWTIME*"}, ...],
   "rows":[["a"], ...] (of other statements than queries)}, to be freed with millstream_string_free.
   Errors: MILLSTREAM_PLAN and MILLSTREAM_CONFIGURATION for what is wrong with the statement, with its line and column. */
millstream_status millstream_execute_sql(
    millstream_sql *session, const char *statement, char **description, millstream_job **job, struct ArrowArrayStream *rows, millstream_error **error);
/* The statements of a text, without comments between them, as JSON: [{"start":0,"end":8}, ...] in bytes. For scripts. */
millstream_status millstream_sql_split(const char *text, char **json, millstream_error **error);

/* Cancels all jobs, waits at most so many milliseconds, and stops the engine's threads. Afterwards only `_free` functions may be called; others give
 * MILLSTREAM_INVALID_STATE. Returns MILLSTREAM_INVALID_STATE if a job did not stop in time; it may then be called again, to wait for longer. */
millstream_status millstream_shutdown(int64_t milliseconds, millstream_error **error);

#ifdef __cplusplus
}
#endif

#endif /* MILLSTREAM_H */
