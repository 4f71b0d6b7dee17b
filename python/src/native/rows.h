/* The iterator that a generated function runs over: it makes each row's Python value when it is asked for, and remembers which outputs came of which row. */
#ifndef MILLSTREAM_NATIVE_ROWS_H
#define MILLSTREAM_NATIVE_ROWS_H

#include <Python.h>
#include <stdbool.h>

#include "elements.h"
#include "millstream.h"
#include "read.h"

/* Outputs of one call, beyond which the rest waits for the next, so that memory stays bounded. */
#define OUTPUT_LIMIT 4096

#define STAMP_OF_PARENT INT64_MIN

typedef struct Rows Rows;
/* The value for row `rows->next`, which is not moved on. A new reference, or NULL with an exception. */
typedef PyObject *(*RowsStep)(Rows *rows, int64_t row);

struct Rows {
    PyObject_HEAD
    RowsStep step;
    RowReader *reader;
    RowReader *key_reader;
    const millstream_request *request;
    /* The row that comes next; the one in hand is before it. */
    int64_t next;
    int64_t count;
    /* The first row whose outputs are in `out`. */
    int64_t first;
    PyObject *out;
    /* ends[row - first]: how many outputs there were when the row began. */
    int32_t *starts;
    int64_t start_capacity;
    /* Stops between rows when `out` is full. */
    bool is_pausing;
    /* When this call began, in milliseconds of a coarse clock, with which row, and after how many rows the clock is asked again. */
    int64_t begun;
    int64_t begun_row;
    int patience;
    /* The last run stopped between two rows, before its last one. */
    bool is_between;
    /* A generator's loop ends when the call is slow, and begins anew with the next call. */
    bool is_stopping;
    /* A row may have any number of outputs, so that as many outputs as rows say nothing. */
    bool is_expanding;
    bool is_finished;
    /* Timestamps of the first `stamp_count` outputs that were given one of their own; STAMP_OF_PARENT: that of the row they came of. */
    int64_t *stamps;
    Py_ssize_t stamp_count;
    Py_ssize_t stamp_capacity;
    /* What is left of a result that was too long for one call. */
    PyObject *pending;
    /* Reused by steps that give pairs. */
    PyObject *pair;
    /* WINDOW: what the request's elements are in, once one of its windows has been looked at. */
    ElementBatch *elements;
    /* Keyed reduce: accumulators by slot, and what they are read with. */
    PyObject **accumulators;
    uint8_t *loaded;
    int64_t slot_count;
    RowReader *accumulator_reader;
    PyObject *create;
};

extern PyTypeObject Rows_Type;
extern PyTypeObject Expansion_Type;
/* The object that an expansion gives when the caller shall pause. */
extern PyObject *rows_pause;
int rows_prepare(void);

Rows *rows_new(RowsStep step, RowReader *reader, PyObject *out);
/* Begins a request. */
int rows_begin(Rows *rows, const millstream_request *request, int64_t count);
/* Whether a call that paused did so in the middle of a row's outputs. */
bool rows_is_in_row(const Rows *rows);
/* When a call pauses: the row in hand goes on at 0 outputs. */
void rows_rebase(Rows *rows);
/* At the end of a call: lets go of the last pair and of the request. */
void rows_end(Rows *rows);
/* Whether this call has taken so long that what it has so far should go on, and a cancellation be looked for: functions may sleep. Never before a row is done. */
bool rows_is_slow(Rows *rows, int64_t row);
/* For calls that cannot stop between two rows: begins to watch the time, and says whether the call is slow and its job is being stopped. True: with an
 * exception that nobody will see. */
void rows_begin_watch(Rows *rows, int64_t row);
bool rows_are_unwanted(Rows *rows, const millstream_request *request, int64_t row);
/* parents of the first outputs, by `starts`. */
void rows_parents(const Rows *rows, int32_t *parents, int64_t output_count);
/* What a function returned: None or an iterable of outputs. 0 or -1. */
int rows_take_result(Rows *rows, PyObject *result);
/* Goes on with what was pending. */
int rows_continue(Rows *rows);
/* The same at once, whatever the limit, with a timestamp for each output. */
int rows_take_result_at(Rows *rows, PyObject *result, int64_t timestamp);
/* The timestamps of the first outputs into `timestamps`, which has room for them. */
void rows_timestamps(const Rows *rows, const int32_t *parents, int64_t *timestamps, Py_ssize_t output_count);
/* The first outputs have gone. */
void rows_forget_timestamps(Rows *rows, Py_ssize_t output_count);
/* Makes a pair for a step, reusing the last one where nobody kept it. Takes both references over. */
PyObject *rows_pair(Rows *rows, PyObject *first, PyObject *second);

PyObject *step_value(Rows *rows, int64_t row);
PyObject *step_integer(Rows *rows, int64_t row);
PyObject *step_object(Rows *rows, int64_t row);

#endif
