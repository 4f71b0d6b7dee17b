/* Host functions: what the engine calls. One Host is the prototype, made by a factory; each subtask has an instance of its own. */
#ifndef MILLSTREAM_NATIVE_HOST_H
#define MILLSTREAM_NATIVE_HOST_H

#include <Python.h>
#include <stdbool.h>

#include "millstream.h"
#include "objects.h"
#include "read.h"
#include "rows.h"
#include "write.h"

/* Stages of one chain: each may indent the generated loop by one level, of which CPython allows 100. Longer chains are not fused further. */
#define CHAIN_STAGE_LIMIT 64
/* Of them flat_maps: CPython allows 20 nested loops. */
#define CHAIN_EXPANSION_LIMIT 15

typedef enum StageKind { STAGE_MAP = 'm', STAGE_FLAT_MAP = 'l', STAGE_FILTER = 'f', STAGE_KEY = 'k', STAGE_ARROW = 'a', STAGE_OTHER = 'o' } StageKind;

/* One function of the user in a host function. */
typedef struct Stage {
    StageKind kind;
    /* A callable, a tuple of them, or a PerSubtask. */
    PyObject *source;
    PyObject *name;
    /* "file:line" of the call that made the operator; NULL: unknown. */
    PyObject *call_site;
    /* What it gives; NULL for filters. */
    Schema *schema;
    /* Instances: a callable or tuple of callables; what to call at the beginning and at the end. */
    PyObject *callables;
    PyObject *open;
    PyObject *close;
} Stage;

/* A stage of a chain that is run from C (direct.c). */
typedef struct DirectStage {
    StageKind kind;
    /* Borrowed from the stage. */
    PyObject *callable;
    vectorcallfunc call;
    const Schema *schema;
    /* For values that are not of the declared type as they are; NULL: nothing to check. */
    PyObject *check;
} DirectStage;

typedef struct Host Host;

typedef struct HostKind {
    /* Makes what calls need, once per instance; the stages' callables are there. 0 or -1. */
    int (*prepare)(Host *host);
    /* 0, 1 when the same request comes again, or -1. */
    int (*call)(Host *host, const millstream_request *request);
    /* Optional: clears `extra`. */
    void (*clear)(Host *host);
    /* Optional: lets open use operator state; NULL at its end. */
    void (*set_request)(Host *host, const millstream_request *request);
    /* Joins other functions of its kind. */
    bool is_fusable;
    /* Takes maps and filters behind it into its crossing. */
    bool takes_transforms;
} HostKind;

struct Host {
    const HostKind *kind;
    PyObject *name;
    /* As in Stage; for functions without stages. */
    PyObject *call_site;
    int stage_count;
    Stage *stages;
    Schema *input;
    Schema *output;
    Schema *keys;
    Schema *accumulator;
    /* side_outputs: tag -> schema text. */
    PyObject *side_outputs;
    /* Process functions: the context's class, what describes the user's function, what makes windows. Collections: the values stand second.
     * Reducers: what is called with a key's first value stands third. */
    PyObject *extra;
    PyObject *second_extra;
    PyObject *third_extra;
    /* MILLSTREAM_CAN_SNAPSHOT and MILLSTREAM_CAN_COMMIT of a source or sink. */
    uint32_t capabilities;
    /* The prototype's, shared by the instances: they live no longer than it. */
    KeyTypes *key_types;
    KeyTypes own_key_types;

    /* Instances only. */
    bool is_instance;
    bool is_prepared;
    bool is_open;
    RowReader reader;
    RowReader second_reader;
    RowBuilder builder;
    RowBuilder second_builder;
    /* Results go into the builder one by one, not into `out`: a list full of tuples would keep the garbage collector busy. */
    bool is_building;
    /* The generated function, and which stage stands on each of its lines. */
    PyObject *function;
    int *line_stages;
    int line_count;
    /* Instead of a generated function: the stages, run from C. */
    DirectStage *direct;
    Rows *rows;
    PyObject *out;
    PyObject *key_list;
    PyObject *generator;
    /* Rows seen by earlier requests. */
    int64_t record_count;
    /* Where the call failed; -1: unknown. */
    int64_t failed_row;
    int failed_stage;
    /* The value that the stage failed with, or NULL. */
    PyObject *failed_value;
    int64_t position;
    PyObject *context;
    /* Process functions: the loop of on_timer, and how rows are read when it does not run. */
    PyObject *timer_function;
    RowsStep timer_step;
    /* Connected streams: what differs for the input that the current request is not of (`other_`). */
    int input_index;
    Schema *second_input;
    RowReader other_reader;
    PyObject *other_function;
    RowsStep other_step;
    int64_t other_record_count;
    struct SideOutput *sides;
    int side_count;
};

/* A Function object for Python, which owns the prototype's engine handle. Takes `host` over. */
PyObject *function_wrap(Host *host);
/* Keeps with a new Function what it was made of: the factory's name and arguments. Takes the function, which may be NULL, and gives it back. */
PyObject *function_remember(PyObject *function, const char *factory, PyObject *arguments, PyObject *keywords);
extern PyTypeObject Function_Type;
extern PyTypeObject PerSubtask_Type;
millstream_function *function_handle(PyObject *function);

/* set_call_site("file:line" or None): where the user made the operators whose functions this thread makes next, for messages. */
PyObject *set_call_site(PyObject *module, PyObject *place);

/* A prototype with room for stages. NULL with an exception. */
Host *host_new(const HostKind *kind, int stage_count, PyObject *name);
void host_free(Host *host);
/* Checks and stores a stage. `count`: how many callables it takes; 0: any. */
int host_set_stage(Host *host, int index, StageKind kind, PyObject *source, PyObject *name, Schema *schema, int count);
/* The callable at a place of the stage's tuple. Borrowed; NULL if it is None or not there. */
PyObject *stage_callable(const Stage *stage, int place);

/* The function that has been running longest, and where in the program it is: "operator 'Map' is in slow (job.py:12)". A new str; NULL without an exception
 * where none runs. */
PyObject *host_describe_running(void);

/* What make() is called, and the user's function for messages (NULL: the callable itself); borrowed. */
PyObject *per_subtask_make(PyObject *object);
PyObject *per_subtask_describe(PyObject *object);

/* Tells the engine of the raised exception, which it takes. */
void host_report(Host *host, const millstream_request *request);
/* The same for printing, which has no host function; the operator is told when the failure comes back. */
void host_report_text(millstream_response *response);
/* Remembers where a call fails. Returns -1. */
int host_fail_at(Host *host, int64_t row, int stage);
/* Makes rows and out list for an instance with an input; `step` as in rows.h. */
int host_make_rows(Host *host, RowsStep step);
/* Runs the generated function on the request's rows: 1 when there is more, 0, or -1. */
int host_run(Host *host);
/* Emits what a run left in `out`; `more` is what the run returned. Of a run that failed, what the records before the failing one gave. 0, 1
 * when the same request comes again, or -1. */
int host_emit_run(Host *host, millstream_response *response, int more);
/* How many results wait in `out` or in the builder. */
int64_t host_output_count(const Host *host);
/* Takes a result that came of a row into `out` or the builder. 0 or -1. */
int host_add_output(Host *host, int64_t row, PyObject *value);
/* Emits values as rows; `parents` may be NULL. */
int host_emit_values(Host *host, millstream_response *response, PyObject *values);
/* Sends the builder's rows to the engine. `timestamps` NULL: the parents'. */
int host_send(RowBuilder *builder, int64_t count, millstream_response *response, const char *tag, const int32_t *parents, const int64_t *timestamps,
    const uint64_t *hashes);

/* From direct.c: whether the stages from `first_stage` on can be run so. */
bool direct_fits(const Host *host, int first_stage);
int direct_prepare(Host *host);
void direct_free(Host *host);
/* Runs the stages on the request's rows: 0 or -1. */
int direct_run(Host *host);
/* Before the first direct_value of a request. */
void direct_begin(Host *host);
/* One value that came of a row through the stages from `first_stage` on; takes it over. 0 or -1. */
int direct_value(Host *host, int64_t row, int first_stage, PyObject *value);
/* The value in the type that its stage declares; takes it over, unless it fails and gives NULL. */
PyObject *direct_check(const DirectStage *stage, PyObject *value);
/* A callable that checks and converts one value to a schema. */
PyObject *stage_check_new(Schema *schema);

/* From generate.c: compiles the lines into host->function. `lines`: text and stage (-1: none) of each. */
typedef struct Code {
    PyObject *lines;
    int *stages;
    int count;
    int capacity;
    int indent;
} Code;
void code_add(Code *code, int stage, const char *format, ...);
/* `parameters`: a dict of names bound in the function. */
int code_compile(Code *code, Host *host, PyObject *parameters);

#endif
