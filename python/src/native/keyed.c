/* REDUCE, ACCUMULATE, RESULT and MERGE: the accumulators of a batch's keys become Python objects at their first touch, and columns again at the end. */
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "host.h"
#include "kinds.h"

/* ---- Accumulators ---- */

static void drop_accumulators(Rows *rows)
{
    for (int64_t slot = 0; slot < rows->slot_count; slot++) Py_XDECREF(rows->accumulators[slot]);
    free(rows->accumulators);
    free(rows->loaded);
    rows->accumulators = NULL;
    rows->loaded = NULL;
    rows->slot_count = 0;
}

static int bind_accumulators(Host *host, const millstream_request *request)
{
    Rows *rows = host->rows;
    drop_accumulators(rows);
    if (row_reader_bind(&host->second_reader, request->accumulators, request->accumulator_schema) < 0) return -1;
    int64_t count = request->accumulators->length;
    rows->accumulators = calloc((size_t)count + 1, sizeof *rows->accumulators);
    rows->loaded = calloc((size_t)count + 1, 1);
    if (rows->accumulators == NULL || rows->loaded == NULL) return PyErr_NoMemory(), -1;
    rows->slot_count = count;
    rows->accumulator_reader = &host->second_reader;
    return 0;
}

/* Null in every column says that there is none yet. */
static bool has_accumulator(const RowReader *reader, int64_t slot)
{
    const Schema *schema = reader->schema;
    for (int index = 0; index < schema->column_count; index++) {
        const Reader *column = &reader->columns[index];
        int64_t position = slot + reader->offset + column->offset;
        if (reader_is_null(column, position)) continue;
        if (schema->columns[index]->kind == TYPE_OBJECT && ((const int64_t *)(const void *)column->values)[position] == 0) continue;
        return true;
    }
    return false;
}

/* 0 or -1; rows->accumulators[slot] stays NULL where there is none. */
static int load_accumulator(Rows *rows, int64_t slot)
{
    if (rows->loaded[slot]) return 0;
    rows->loaded[slot] = 1;
    if (!has_accumulator(rows->accumulator_reader, slot)) return 0;
    rows->accumulators[slot] = row_reader_get(rows->accumulator_reader, slot, 0);
    return rows->accumulators[slot] == NULL ? -1 : 0;
}

static int64_t slot_of(Rows *rows, int64_t row)
{
    int64_t slot = rows->request->slots[row];
    if (slot >= 0 && slot < rows->slot_count) return slot;
    error_raise(MILLSTREAM_INTERNAL, NULL, "slot %lld of %lld", (long long)slot, (long long)rows->slot_count);
    return -1;
}

static PyObject *read_value(Rows *rows, int64_t row)
{
    return row_reader_get(rows->reader, row, rows->request->row_kinds == NULL ? 0 : rows->request->row_kinds[row]);
}

/* The next accumulator: f(accumulated, value), or for an AggregateFunction add(value, accumulated). The first value of a key is reduced to itself,
 * without a call of the function; `first` (third_extra) may look at it. A new reference, or NULL with an exception. */
static PyObject *accumulated(Host *host, PyObject *function, vectorcallfunc call, int64_t slot, PyObject *value)
{
    Rows *rows = host->rows;
    if (load_accumulator(rows, slot) < 0) return NULL;
    PyObject *create = rows->create;
    if (rows->accumulators[slot] == NULL) {
        if (create == NULL) return host->third_extra == NULL ? Py_NewRef(value) : PyObject_CallOneArg(host->third_extra, value);
        rows->accumulators[slot] = PyObject_CallNoArgs(create);
        if (rows->accumulators[slot] == NULL) return NULL;
    }
    PyObject *accumulator = rows->accumulators[slot];
    /* The place before the arguments is the callee's, for a bound method's self. */
    PyObject *arguments[3] = {NULL, create == NULL ? accumulator : value, create == NULL ? value : accumulator};
    if (call != NULL) return call(function, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    return PyObject_Vectorcall(function, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* Accumulates the rows one by one, from C as in direct.c; with `is_running` the accumulators go to `out` as well. */
static int accumulate_rows(Host *host, bool is_running)
{
    Rows *rows = host->rows;
    PyObject *function = stage_callable(&host->stages[0], rows->create == NULL ? 0 : 1);
    vectorcallfunc call = PyVectorcall_Function(function);
    if (host->direct != NULL) direct_begin(host);
    for (int64_t row = 0; row < rows->count; row++) {
        /* The accumulators of the batch go back together, so there is no stopping half-way; but a job that ends needs none of them. */
        if (rows_are_unwanted(rows, rows->request, row)) return -1;
        rows->starts[row] = (int32_t)host_output_count(host);
        rows->next = row + 1;
        int64_t slot = slot_of(rows, row);
        PyObject *value = slot < 0 ? NULL : read_value(rows, row);
        if (value == NULL) return host_fail_at(host, row, 0);
        PyObject *result = accumulated(host, function, call, slot, value);
        if (result == NULL) {
            Py_XSETREF(host->failed_value, value);
            return host_fail_at(host, row, 0);
        }
        if (host->direct != NULL) {
            PyObject *checked = direct_check(&host->direct[0], result);
            if (checked == NULL) {
                Py_DECREF(value);
                Py_XSETREF(host->failed_value, result);
                return host_fail_at(host, row, 0);
            }
            result = checked;
        }
        Py_DECREF(value);
        Py_XSETREF(rows->accumulators[slot], result);
        if (!is_running) continue;
        int status = host->direct == NULL ? host_add_output(host, row, result) : direct_value(host, row, 1, Py_NewRef(result));
        if (status < 0) return -1;
    }
    rows->is_finished = true;
    return 0;
}

static int append_missing(RowBuilder *builder)
{
    for (int index = 0; index < builder->schema->column_count; index++) {
        if (builder_append_null(&builder->columns[index]) < 0) return -1;
    }
    return 0;
}

static int send_accumulators(RowBuilder *builder, int64_t count, millstream_response *response)
{
    struct ArrowArray array;
    if (row_builder_finish(builder, count, &array) < 0) return -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_response_accumulators(response, &array, &error);
    if (status == MILLSTREAM_OK) return 0;
    error_raise_engine(status, error);
    return -1;
}

static int return_accumulators(Host *host, millstream_response *response)
{
    Rows *rows = host->rows;
    int status = 0;
    for (int64_t slot = 0; status == 0 && slot < rows->slot_count; slot++) {
        status = load_accumulator(rows, slot);
        if (status == 0 && rows->accumulators[slot] == NULL) status = append_missing(&host->second_builder);
        else if (status == 0) status = row_builder_append(&host->second_builder, &rows->accumulators[slot], 1) == 1 ? 0 : -1;
    }
    if (status == 0) return send_accumulators(&host->second_builder, rows->slot_count, response);
    row_builder_reset(&host->second_builder);
    return -1;
}

/* ---- Calls ---- */

static int accumulators_prepare(Host *host)
{
    if (host_make_rows(host, NULL) < 0 || row_reader_make(&host->second_reader, host->accumulator) < 0) return -1;
    return row_builder_make(&host->builder, host->output, NULL) < 0 || row_builder_make(&host->second_builder, host->accumulator, NULL) < 0 ? -1 : 0;
}

static int reduce_prepare(Host *host)
{
    if (stage_callable(&host->stages[0], 0) == NULL) return PyErr_SetString(PyExc_TypeError, "a function is missing"), -1;
    if (host->stage_count > 1 && direct_prepare(host) < 0) return -1;
    host->is_building = !host->output->is_scalar && host->output->column_count > 0;
    return accumulators_prepare(host);
}

static int aggregate_prepare(Host *host)
{
    PyObject *create = stage_callable(&host->stages[0], 0);
    if (create == NULL) return PyErr_SetString(PyExc_TypeError, "create_accumulator is missing"), -1;
    if (stage_callable(&host->stages[0], 1) == NULL) return PyErr_SetString(PyExc_TypeError, "add is missing"), -1;
    if (accumulators_prepare(host) < 0) return -1;
    host->rows->create = Py_NewRef(create);
    return 0;
}

static int accumulate(Host *host, const millstream_request *request)
{
    if (row_reader_bind(&host->reader, request->columns, request->schema) < 0 || bind_accumulators(host, request) < 0) return -1;
    bool is_running = request->integer_count > 0 && request->integers[0] == 1;
    if (rows_begin(host->rows, request, request->count) < 0) return -1;
    int status = accumulate_rows(host, is_running);
    if (is_running) status = host_emit_run(host, request->response, status);
    return status < 0 ? -1 : return_accumulators(host, request->response);
}

static void finish_call(Host *host)
{
    PyObject *raised = error_take();
    drop_accumulators(host->rows);
    rows_end(host->rows);
    if (PyList_SetSlice(host->out, 0, PyList_GET_SIZE(host->out), NULL) < 0) PyErr_Clear();
    error_restore(raised);
}

/* merge(first, second) for each pair of accumulators. */
static int merge_pairs(Host *host, const millstream_request *request, PyObject *merge)
{
    if (merge == NULL) return PyErr_SetString(PyExc_TypeError, "merge is missing"), -1;
    if (bind_accumulators(host, request) < 0) return -1;
    Rows *rows = host->rows;
    int status = 0;
    int64_t pair_count = rows->slot_count / 2;
    rows_begin_watch(rows, 0);
    for (int64_t pair = 0; status == 0 && pair < pair_count; pair++) {
        if (rows_are_unwanted(rows, request, pair)) {
            status = -1;
            break;
        }
        if (load_accumulator(rows, 2 * pair) < 0 || load_accumulator(rows, 2 * pair + 1) < 0) return -1;
        PyObject *first = rows->accumulators[2 * pair], *second = rows->accumulators[2 * pair + 1];
        PyObject *merged = first == NULL ? Py_XNewRef(second) : second == NULL ? Py_NewRef(first) : PyObject_CallFunctionObjArgs(merge, first, second, NULL);
        if (merged == NULL && (PyErr_Occurred() || append_missing(&host->second_builder) < 0)) status = -1;
        if (merged != NULL && row_builder_append(&host->second_builder, &merged, 1) != 1) status = -1;
        Py_XDECREF(merged);
    }
    if (status == 0) return send_accumulators(&host->second_builder, pair_count, request->response);
    row_builder_reset(&host->second_builder);
    return -1;
}

static int reduce_call(Host *host, const millstream_request *request)
{
    int status = request->operation == MILLSTREAM_OPERATION_MERGE ? merge_pairs(host, request, stage_callable(&host->stages[0], 0))
                                                                  : accumulate(host, request);
    finish_call(host);
    return status;
}

/* get_result(accumulator) per slot. Windows whose result is None give nothing: their slots are no parents of the rows. */
static int give_results(Host *host, const millstream_request *request)
{
    PyObject *get = stage_callable(&host->stages[0], 2);
    if (get == NULL) return PyErr_SetString(PyExc_TypeError, "get_result is missing"), -1;
    if (bind_accumulators(host, request) < 0) return -1;
    Rows *rows = host->rows;
    int32_t *parents = PyMem_New(int32_t, rows->slot_count);
    if (parents == NULL && rows->slot_count > 0) return PyErr_NoMemory(), -1;
    int status = 0;
    Py_ssize_t count = 0;
    rows_begin_watch(rows, 0);
    for (int64_t slot = 0; status == 0 && slot < rows->slot_count; slot++) {
        status = rows_are_unwanted(rows, request, slot) ? -1 : load_accumulator(rows, slot);
        if (status < 0) break;
        if (rows->accumulators[slot] == NULL) rows->accumulators[slot] = PyObject_CallNoArgs(rows->create);
        PyObject *result = rows->accumulators[slot] == NULL ? NULL : PyObject_CallOneArg(get, rows->accumulators[slot]);
        if (result == NULL) status = host_fail_at(host, slot, 0);
        else if (result != Py_None && PyList_Append(host->out, result) < 0) status = -1;
        else if (result != Py_None) parents[count++] = (int32_t)slot;
        Py_XDECREF(result);
    }
    if (status == 0) {
        Py_ssize_t appended = row_builder_append(&host->builder, PySequence_Fast_ITEMS(host->out), count);
        bool is_whole = count == rows->slot_count;
        if (appended == count) status = host_send(&host->builder, count, request->response, NULL, is_whole ? NULL : parents, NULL, NULL);
        else row_builder_reset(&host->builder), status = host_fail_at(host, parents[appended], 0);
    }
    PyMem_Free(parents);
    return status;
}

static int aggregate_call(Host *host, const millstream_request *request)
{
    int status;
    switch (request->operation) {
    case MILLSTREAM_OPERATION_RESULT: status = give_results(host, request); break;
    case MILLSTREAM_OPERATION_MERGE: status = merge_pairs(host, request, stage_callable(&host->stages[0], 3)); break;
    default: status = accumulate(host, request);
    }
    finish_call(host);
    return status;
}

static void keyed_clear(Host *host)
{
    if (host->rows != NULL) drop_accumulators(host->rows);
}

static const HostKind reduce_kind = {.prepare = reduce_prepare, .call = reduce_call, .clear = keyed_clear, .takes_transforms = true};
static const HostKind aggregate_kind = {.prepare = aggregate_prepare, .call = aggregate_call, .clear = keyed_clear};

/* ---- Factories ---- */

PyObject *make_reducer(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"reduce", "schema", "name", "first", NULL};
    PyObject *callable, *text, *name, *first = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUU|O:reducer", names, &callable, &text, &name, &first)) return NULL;
    Schema *schema = schema_from_object(text);
    Host *host = schema == NULL ? NULL : host_new(&reduce_kind, 1, name);
    if (host != NULL) {
        host->input = schema_retain(schema);
        host->output = schema_retain(schema);
        host->accumulator = schema_retain(schema);
        if (first != Py_None) host->third_extra = Py_NewRef(first);
    }
    bool is_made = host != NULL && host_set_stage(host, 0, STAGE_OTHER, callable, name, schema, 1) == 0;
    schema_release(schema);
    if (is_made) return function_wrap(host);
    host_free(host);
    return NULL;
}

PyObject *make_aggregator(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"callables", "schema", "accumulator_schema", "output_schema", "name", NULL};
    PyObject *callables, *input, *accumulator, *output, *name;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUUUU:aggregator", names, &callables, &input, &accumulator, &output, &name)) return NULL;
    Host *host = host_new(&aggregate_kind, 1, name);
    bool is_made = host != NULL && (host->input = schema_from_object(input)) != NULL && (host->accumulator = schema_from_object(accumulator)) != NULL
                && (host->output = schema_from_object(output)) != NULL && host_set_stage(host, 0, STAGE_OTHER, callables, name, host->output, 4) == 0;
    if (is_made) return function_wrap(host);
    host_free(host);
    return NULL;
}
