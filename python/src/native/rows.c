/* Rows: the driver of every generated loop. Python's own iteration calls it, so that a row costs one C call and no bookkeeping in Python. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "errors.h"
#include "values.h"

PyObject *rows_pause;

Rows *rows_new(RowsStep step, RowReader *reader, PyObject *out)
{
    Rows *rows = PyObject_GC_New(Rows, &Rows_Type);
    if (rows == NULL) return NULL;
    memset((char *)rows + sizeof(PyObject), 0, sizeof *rows - sizeof(PyObject));
    rows->step = step;
    rows->reader = reader;
    rows->out = Py_XNewRef(out);
    PyObject_GC_Track(rows);
    return rows;
}

/* A call that takes longer is interrupted between two rows. */
#define SLOW_MILLISECONDS 20

static int64_t coarse_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool rows_is_slow(Rows *rows, int64_t row)
{
    if (--rows->patience > 0 || row <= rows->begun_row) return false;
    int64_t elapsed = coarse_milliseconds() - rows->begun;
    /* Of fast functions few rows ask, of slow ones each. */
    rows->patience = elapsed == 0 ? 16 : 1;
    return elapsed >= SLOW_MILLISECONDS;
}

void rows_begin_watch(Rows *rows, int64_t row)
{
    rows->begun = coarse_milliseconds();
    rows->begun_row = row;
    rows->patience = 1;
}

bool rows_are_unwanted(Rows *rows, const millstream_request *request, int64_t row)
{
    if (!rows_is_slow(rows, row) || !millstream_response_is_cancelled(request->response)) return false;
    error_raise(MILLSTREAM_CANCELLED, NULL, "the job is being stopped");
    return true;
}

int rows_begin(Rows *rows, const millstream_request *request, int64_t count)
{
    rows->request = request;
    if (request->resumption == 0) {
        rows->next = rows->first = 0;
        rows->is_finished = false;
        rows->stamp_count = 0;
        Py_CLEAR(rows->pending);
    }
    rows_begin_watch(rows, rows->next);
    rows->is_between = false;
    rows->count = count;
    if (count + 2 <= rows->start_capacity) return 0;
    int32_t *starts = realloc(rows->starts, sizeof(int32_t) * (size_t)(count + 2));
    if (starts == NULL) return PyErr_NoMemory(), -1;
    rows->starts = starts;
    rows->start_capacity = count + 2;
    return 0;
}

bool rows_is_in_row(const Rows *rows)
{
    return rows->next > 0 && (rows->pending != NULL || (!rows->is_pausing && !rows->is_between && !rows->is_finished));
}

void rows_rebase(Rows *rows)
{
    bool is_in_row = rows->pending != NULL || !rows->is_finished;
    rows->first = is_in_row && rows->next > 0 ? rows->next - 1 : rows->next;
    rows->starts[0] = rows->starts[1] = 0;
    /* Between two rows the one before may still stand as the first: it has no more outputs, and its start is 0 as well. */
}

void rows_end(Rows *rows)
{
    rows->request = NULL;
    if (rows->pair == NULL && rows->elements == NULL) return;
    PyObject *raised = error_take();
    Py_CLEAR(rows->pair);
    element_batch_release(rows->elements);
    rows->elements = NULL;
    error_restore(raised);
}

void rows_parents(const Rows *rows, int32_t *parents, int64_t output_count)
{
    const int32_t *starts = rows->starts, *last = starts + (rows->next - rows->first) - 1;
    int32_t parent = (int32_t)rows->first, place = 0, count = (int32_t)output_count;
    for (; starts < last && place < count; starts++, parent++) {
        int32_t end = starts[1] < count ? starts[1] : count;
        while (place < end) parents[place++] = parent;
    }
    while (place < count) parents[place++] = parent;
}

static PyObject *rows_next(Rows *rows)
{
    if (rows->pending != NULL) return NULL;
    int64_t row = rows->next;
    Py_ssize_t output_count = PyList_GET_SIZE(rows->out);
    if (row >= rows->count) {
        rows->is_finished = true;
        return NULL;
    }
    if (rows->is_pausing && (output_count >= OUTPUT_LIMIT || rows_is_slow(rows, row))) return NULL;
    if (rows->is_stopping && rows_is_slow(rows, row)) {
        rows->is_between = true;
        return NULL;
    }
    /* Whoever wants all rows' answers at once gets them, unless nobody waits for them any more. */
    if (!rows->is_pausing && !rows->is_stopping && rows_are_unwanted(rows, rows->request, row)) return NULL;
    rows->starts[row - rows->first] = (int32_t)output_count;
    rows->next = row + 1;
    return rows->step(rows, row);
}

PyObject *rows_pair(Rows *rows, PyObject *first, PyObject *second)
{
    if (first == NULL || second == NULL) {
        Py_XDECREF(first);
        Py_XDECREF(second);
        return NULL;
    }
    PyObject *pair = rows->pair;
    if (pair != NULL && Py_REFCNT(pair) == 1) {
        PyObject *old_first = PyTuple_GET_ITEM(pair, 0), *old_second = PyTuple_GET_ITEM(pair, 1);
        Py_INCREF(pair);
        PyTuple_SET_ITEM(pair, 0, first);
        PyTuple_SET_ITEM(pair, 1, second);
        /* The collector may have stopped looking at it when it held only numbers. */
        if (!PyObject_GC_IsTracked(pair)) PyObject_GC_Track(pair);
        Py_XDECREF(old_first);
        Py_XDECREF(old_second);
        return pair;
    }
    pair = PyTuple_New(2);
    if (pair == NULL) {
        Py_DECREF(first);
        Py_DECREF(second);
        return NULL;
    }
    PyTuple_SET_ITEM(pair, 0, first);
    PyTuple_SET_ITEM(pair, 1, second);
    Py_XSETREF(rows->pair, Py_NewRef(pair));
    return pair;
}

/* ---- Steps ---- */

PyObject *step_value(Rows *rows, int64_t row)
{
    const int8_t *kinds = rows->request->row_kinds;
    return row_reader_get(rows->reader, row, kinds == NULL ? 0 : kinds[row]);
}

PyObject *step_integer(Rows *rows, int64_t row)
{
    const Reader *column = &rows->reader->columns[0];
    int64_t position = row + rows->reader->offset + column->offset;
    if (reader_is_null(column, position)) return Py_NewRef(Py_None);
    return PyLong_FromLongLong(((const int64_t *)(const void *)column->values)[position]);
}

PyObject *step_object(Rows *rows, int64_t row)
{
    const Reader *column = &rows->reader->columns[0];
    PyObject *value = ((PyObject *const *)(const void *)column->values)[row + rows->reader->offset + column->offset];
    return Py_NewRef(value == NULL ? Py_None : value);
}

/* ---- Results ---- */

int rows_continue(Rows *rows)
{
    PyObject *iterator = rows->pending;
    if (iterator == NULL) return 0;
    while (PyList_GET_SIZE(rows->out) < OUTPUT_LIMIT) {
        PyObject *value = PyIter_Next(iterator);
        if (value == NULL) {
            Py_CLEAR(rows->pending);
            return PyErr_Occurred() ? -1 : 0;
        }
        int status = PyList_Append(rows->out, value);
        Py_DECREF(value);
        if (status < 0) return -1;
    }
    return 0;
}

static PyObject *iterate_result(PyObject *result)
{
    PyObject *iterator = PyObject_GetIter(result);
    if (iterator == NULL && PyErr_ExceptionMatches(PyExc_TypeError) && Py_TYPE(result)->tp_iter == NULL && !PySequence_Check(result)) {
        PyErr_Clear();
        PyObject *shown = error_representation(result);
        error_raise(MILLSTREAM_TYPE_MISMATCH, NULL, "the function gave %V (%.100s); None or an iterable of results was expected", shown, "?",
            Py_TYPE(result)->tp_name);
        Py_XDECREF(shown);
    }
    return iterator;
}

int rows_take_result(Rows *rows, PyObject *result)
{
    if (result == Py_None) return 0;
    if (values_side_output_tag(result) != NULL) return PyList_Append(rows->out, result);
    rows->pending = iterate_result(result);
    return rows->pending == NULL ? -1 : rows_continue(rows);
}

/* Outputs before the first one with a timestamp of its own have those of their parents. */
static int stamp_outputs(Rows *rows, Py_ssize_t first, int64_t timestamp)
{
    Py_ssize_t count = PyList_GET_SIZE(rows->out);
    if (count > rows->stamp_capacity) {
        Py_ssize_t capacity = count * 2;
        int64_t *stamps = realloc(rows->stamps, sizeof(int64_t) * (size_t)capacity);
        if (stamps == NULL) return PyErr_NoMemory(), -1;
        rows->stamps = stamps;
        rows->stamp_capacity = capacity;
    }
    for (Py_ssize_t place = rows->stamp_count; place < first; place++) rows->stamps[place] = STAMP_OF_PARENT;
    for (Py_ssize_t place = first; place < count; place++) rows->stamps[place] = timestamp;
    rows->stamp_count = count;
    return 0;
}

int rows_take_result_at(Rows *rows, PyObject *result, int64_t timestamp)
{
    Py_ssize_t first = PyList_GET_SIZE(rows->out);
    if (result == Py_None) return 0;
    if (values_side_output_tag(result) != NULL) {
        if (PyList_Append(rows->out, result) < 0) return -1;
        return stamp_outputs(rows, first, timestamp);
    }
    PyObject *iterator = iterate_result(result), *value;
    if (iterator == NULL) return -1;
    int status = 0;
    while (status == 0 && (value = PyIter_Next(iterator)) != NULL) {
        status = PyList_Append(rows->out, value);
        Py_DECREF(value);
    }
    Py_DECREF(iterator);
    if (status < 0 || PyErr_Occurred()) return -1;
    return stamp_outputs(rows, first, timestamp);
}

void rows_timestamps(const Rows *rows, const int32_t *parents, int64_t *timestamps, Py_ssize_t output_count)
{
    const millstream_request *request = rows->request;
    /* The times of processing-time timers are no timestamps. */
    bool is_clock = request->operation == MILLSTREAM_OPERATION_TIMERS && request->integer_count > 0
                 && request->integers[0] == MILLSTREAM_PROCESSING_TIME_DOMAIN;
    const int64_t *given = is_clock ? NULL : request->timestamps;
    for (Py_ssize_t place = 0; place < output_count; place++) {
        int64_t stamp = place < rows->stamp_count ? rows->stamps[place] : STAMP_OF_PARENT;
        timestamps[place] = stamp != STAMP_OF_PARENT ? stamp : given == NULL ? INT64_MIN : given[parents[place]];
    }
}

void rows_forget_timestamps(Rows *rows, Py_ssize_t output_count)
{
    if (output_count >= rows->stamp_count) {
        rows->stamp_count = 0;
        return;
    }
    rows->stamp_count -= output_count;
    memmove(rows->stamps, rows->stamps + output_count, sizeof(int64_t) * (size_t)rows->stamp_count);
}

static PyObject *rows_emit(Rows *rows, PyObject *result)
{
    if (rows_take_result(rows, result) < 0) return NULL;
    Py_RETURN_NONE;
}

/* A chain's flat_map in the middle: its results one by one, and the pause object when the outputs are full. */
typedef struct Expansion {
    PyObject_HEAD
    PyObject *iterator;
    PyObject *out;
} Expansion;

static PyObject *rows_expand(Rows *rows, PyObject *result)
{
    Expansion *expansion = PyObject_New(Expansion, &Expansion_Type);
    if (expansion == NULL) return NULL;
    expansion->out = Py_NewRef(rows->out);
    expansion->iterator = NULL;
    if (result != Py_None) {
        expansion->iterator = PyObject_GetIter(result);
        if (expansion->iterator == NULL) {
            Py_DECREF(expansion);
            PyErr_Clear();
            PyObject *shown = error_representation(result);
            error_raise(MILLSTREAM_TYPE_MISMATCH, NULL, "flat_map gave %V (%.100s); None or an iterable of results was expected", shown, "?",
                Py_TYPE(result)->tp_name);
            Py_XDECREF(shown);
            return NULL;
        }
    }
    return (PyObject *)expansion;
}

static PyObject *expansion_next(Expansion *expansion)
{
    if (expansion->iterator == NULL) return NULL;
    if (PyList_GET_SIZE(expansion->out) >= OUTPUT_LIMIT) return Py_NewRef(rows_pause);
    return PyIter_Next(expansion->iterator);
}

static void expansion_dealloc(Expansion *expansion)
{
    Py_XDECREF(expansion->iterator);
    Py_XDECREF(expansion->out);
    PyObject_Free(expansion);
}

PyTypeObject Expansion_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native._Expansion",
    .tp_basicsize = sizeof(Expansion),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = (destructor)expansion_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)expansion_next,
};

/* ---- The type ---- */

static int rows_traverse(Rows *rows, visitproc visit, void *arg)
{
    Py_VISIT(rows->out);
    Py_VISIT(rows->pending);
    Py_VISIT(rows->pair);
    Py_VISIT(rows->create);
    return 0;
}

static int rows_clear(Rows *rows)
{
    Py_CLEAR(rows->out);
    Py_CLEAR(rows->pending);
    Py_CLEAR(rows->pair);
    Py_CLEAR(rows->create);
    return 0;
}

static void rows_dealloc(Rows *rows)
{
    PyObject_GC_UnTrack(rows);
    rows_clear(rows);
    element_batch_release(rows->elements);
    free(rows->starts);
    free(rows->stamps);
    PyObject_GC_Del(rows);
}

static PyMethodDef rows_methods[] = {
    {"emit", (PyCFunction)rows_emit, METH_O, NULL},
    {"expand", (PyCFunction)rows_expand, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject Rows_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native._Rows",
    .tp_basicsize = sizeof(Rows),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = (traverseproc)rows_traverse,
    .tp_clear = (inquiry)rows_clear,
    .tp_dealloc = (destructor)rows_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)rows_next,
    .tp_methods = rows_methods,
};

int rows_prepare(void)
{
    if (PyType_Ready(&Rows_Type) < 0 || PyType_Ready(&Expansion_Type) < 0) return -1;
    rows_pause = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    return rows_pause == NULL ? -1 : 0;
}
