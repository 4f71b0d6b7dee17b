/* From a list of results to rows at the engine: side outputs apart, parents by the rows' starts, keys hashed in the same crossing. */
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "host.h"
#include "sides.h"
#include "values.h"

int host_make_rows(Host *host, RowsStep step)
{
    host->out = PyList_New(0);
    host->key_list = PyList_New(0);
    if (host->out == NULL || host->key_list == NULL) return -1;
    if (host->input != NULL && row_reader_make(&host->reader, host->input) < 0) return -1;
    if (step == NULL) step = host->input->type->kind == TYPE_BIGINT ? step_integer : host->input->type->kind == TYPE_OBJECT ? step_object : step_value;
    host->rows = rows_new(step, &host->reader, host->out);
    return host->rows == NULL ? -1 : 0;
}

int host_send(RowBuilder *builder, int64_t count, millstream_response *response, const char *tag, const int32_t *parents, const int64_t *timestamps,
    const uint64_t *hashes)
{
    struct ArrowArray array;
    if (row_builder_finish(builder, count, &array) < 0) return -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_response_emit(response, tag, &array, parents, timestamps, hashes, &error);
    if (status == MILLSTREAM_OK) return 0;
    error_raise_engine(status, error);
    return -1;
}

int host_run(Host *host)
{
    if (host->generator != NULL || (((PyCodeObject *)PyFunction_GET_CODE(host->function))->co_flags & CO_GENERATOR) != 0) {
        if (host->generator == NULL) host->generator = PyObject_CallFunctionObjArgs(host->function, host->rows, host->out, host->key_list, NULL);
        if (host->generator == NULL) return -1;
        PyObject *paused = PyIter_Next(host->generator);
        if (paused != NULL) {
            Py_DECREF(paused);
            return 1;
        }
        Py_CLEAR(host->generator);
        return PyErr_Occurred() ? -1 : !host->rows->is_finished;
    }
    if (host->rows->pending != NULL && rows_continue(host->rows) < 0) return -1;
    PyObject *result = PyObject_CallFunctionObjArgs(host->function, host->rows, host->out, host->key_list, NULL);
    if (result == NULL) return -1;
    Py_DECREF(result);
    return host->rows->pending != NULL || !host->rows->is_finished;
}

/* Which row an output came of. */
static int64_t row_of_output(const Rows *rows, const int32_t *parents, Py_ssize_t output)
{
    if (parents != NULL) return parents[output];
    int64_t row_count = rows->next - rows->first, row = 0;
    while (row + 1 < row_count && rows->starts[row + 1] <= output) row++;
    return rows->first + row;
}

/* The stage whose results are emitted: the last but filters and keys. */
static int stage_of_output(const Host *host)
{
    for (int index = host->stage_count - 1; index > 0; index--) {
        if (host->stages[index].kind != STAGE_FILTER && host->stages[index].kind != STAGE_KEY) return index;
    }
    return 0;
}

int64_t host_output_count(const Host *host) { return host->is_building ? host->builder.columns[0].count : PyList_GET_SIZE(host->out); }

int host_add_output(Host *host, int64_t row, PyObject *value)
{
    if (!host->is_building) return PyList_Append(host->out, value);
    return row_builder_append(&host->builder, &value, 1) == 1 ? 0 : host_fail_at(host, row, stage_of_output(host));
}

static int append_keys(Host *host, PyObject *const *keys, Py_ssize_t count, const int32_t *parents, uint64_t **hashes)
{
    int last = host->stage_count - 1;
    bool is_object = host->keys->column_count == 1 && host->keys->columns[0]->kind == TYPE_OBJECT;
    if (is_object) {
        *hashes = malloc(sizeof(uint64_t) * (size_t)(count == 0 ? 1 : count));
        if (*hashes == NULL) return PyErr_NoMemory(), -1;
    }
    for (Py_ssize_t index = 0; index < count; index++) {
        bool is_key = keys[index] != Py_None || is_object;
        if (is_key && (!is_object || key_hash(keys[index], &(*hashes)[index], host->key_types))) continue;
        if (!is_key) error_raise(MILLSTREAM_KEY, NULL, "None can be no key: a key is never None");
        return host_fail_at(host, row_of_output(host->rows, parents, index), last);
    }
    /* A bare key is the one column of `keys`, which always has columns; a tuple or row of one field is not bare. */
    Builder *column = &host->builder.key_columns[0];
    if (!host->stages[last].schema->is_scalar) {
        Py_ssize_t appended = row_builder_append_keys(&host->builder, keys, count);
        return appended == count ? 0 : host_fail_at(host, row_of_output(host->rows, parents, appended), last);
    }
    for (Py_ssize_t index = 0; index < count; index++) {
        if (builder_append(column, keys[index]) == 0) continue;
        conversion_raise(column->type);
        return host_fail_at(host, row_of_output(host->rows, parents, index), last);
    }
    return 0;
}

static int append_values(Host *host, PyObject *list, Py_ssize_t count, const int32_t *parents, uint64_t **hashes)
{
    PyObject **values = ((PyListObject *)list)->ob_item;
    RowBuilder *builder = &host->builder;
    bool is_key_alone = host->output == NULL;
    if (!is_key_alone && !host->is_building) {
        Py_ssize_t appended = row_builder_append(builder, values, count);
        if (appended < count) return host_fail_at(host, row_of_output(host->rows, parents, appended), stage_of_output(host));
    }
    if (builder->key_schema == NULL) return 0;
    PyObject *keys = is_key_alone ? list : host->key_list;
    return append_keys(host, ((PyListObject *)keys)->ob_item, count, parents, hashes);
}

/* Makes columns of values, and sends them behind the side outputs: nothing is sent before all of it could be made. */
static int append_and_send(
    Host *host, millstream_response *response, PyObject *values, Py_ssize_t count, const int32_t *parents, const int64_t *timestamps)
{
    uint64_t *hashes = NULL;
    int status = count == 0 ? 0 : append_values(host, values, count, parents, &hashes);
    if (status == 0) status = sides_send(host, response);
    if (status == 0 && count > 0) status = host_send(&host->builder, count, response, NULL, parents, timestamps, hashes);
    free(hashes);
    if (status == 0) return 0;
    /* What is in the builder alone stays for the next, shorter try. */
    if (host->is_building) row_builder_reset_keys(&host->builder);
    else row_builder_reset(&host->builder);
    sides_reset(host);
    return -1;
}

static int remove_first(PyObject *list, Py_ssize_t count) { return PyList_SetSlice(list, 0, count, NULL); }

/* Emits the first outputs, and takes them out of the lists. After a failure the lists are as they were. */
static int emit_first(Host *host, millstream_response *response, Py_ssize_t count)
{
    Rows *rows = host->rows;
    PyObject *rest = NULL;
    int32_t *parents = NULL;
    int64_t *timestamps = NULL;
    bool is_whole = count == rows->count && rows->first == 0 && rows->is_finished && !rows->is_expanding;
    if (count > 0 && !is_whole) {
        parents = malloc(sizeof(int32_t) * (size_t)count);
        if (parents == NULL) return PyErr_NoMemory(), -1;
        rows_parents(rows, parents, count);
    }
    if (parents != NULL && rows->stamp_count > 0) {
        timestamps = malloc(sizeof(int64_t) * (size_t)count);
        if (timestamps == NULL) return free(parents), PyErr_NoMemory(), -1;
        rows_timestamps(rows, parents, timestamps, count);
    }
    /* Side outputs leave only with a process function, which is never whole. */
    int status = parents == NULL ? 0 : sides_divide(host, count, parents, timestamps, &rest);
    Py_ssize_t rest_count = rest == NULL ? count : PyList_GET_SIZE(rest);
    if (status == 0) status = append_and_send(host, response, rest == NULL ? host->out : rest, rest_count, parents, timestamps);
    Py_XDECREF(rest);
    free(parents);
    free(timestamps);
    if (status < 0 || remove_first(host->out, count) < 0) return -1;
    rows_forget_timestamps(rows, count);
    return remove_first(host->key_list, count);
}

/* The failure of a record does not take along what the records before it gave: that goes ahead of it. If it cannot be made into rows, an earlier record
 * has failed: then that is the failure, as if records had been sent one by one. Returns -1, with the exception. */
static int emit_before_failure(Host *host, millstream_response *response)
{
    Rows *rows = host->rows;
    PyObject *raised = error_take();
    int64_t row = host->failed_row >= 0 ? host->failed_row : rows->next - 1;
    int stage = host->failed_stage;
    while (row > rows->first) {
        int32_t count = rows->starts[row - rows->first];
        if (host->is_building) row_builder_truncate(&host->builder, count);
        host->failed_row = -1;
        if (emit_first(host, response, count) == 0) break;
        PyObject *earlier = error_take();
        bool is_earlier = host->failed_row >= 0 && host->failed_row < row;
        if (!is_earlier) {
            Py_XDECREF(earlier);
            break;
        }
        Py_XSETREF(raised, earlier);
        Py_CLEAR(host->failed_value);
        row = host->failed_row;
        stage = host->failed_stage;
    }
    row_builder_reset(&host->builder);
    rows->stamp_count = 0;
    if (remove_first(host->out, PyList_GET_SIZE(host->out)) < 0 || remove_first(host->key_list, PyList_GET_SIZE(host->key_list)) < 0) PyErr_Clear();
    host->failed_row = row;
    host->failed_stage = stage;
    error_restore(raised);
    return -1;
}

int host_emit_run(Host *host, millstream_response *response, int more)
{
    if (more < 0) return emit_before_failure(host, response);
    Rows *rows = host->rows;
    Py_ssize_t count = (Py_ssize_t)host_output_count(host);
    if (more == 1 && rows_is_in_row(rows)) {
        /* The row in hand may fail yet. Its outputs wait for its end, unless they alone are as many as one call may have. */
        int32_t start = rows->starts[rows->next - 1 - rows->first];
        if (start > 0) count = start;
    }
    if (emit_first(host, response, count) < 0) return emit_before_failure(host, response);
    if (more == 0) return 0;
    rows_rebase(rows);
    millstream_response_resume(response, 1);
    return 1;
}

int host_emit_values(Host *host, millstream_response *response, PyObject *values)
{
    PyObject *list = PySequence_Fast(values, "a list was expected");
    if (list == NULL) return -1;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    Py_ssize_t appended = row_builder_append(&host->builder, PySequence_Fast_ITEMS(list), count);
    int status = 0;
    if (appended < count) {
        row_builder_reset(&host->builder);
        status = host_fail_at(host, appended, 0);
    } else if (count > 0) {
        status = host_send(&host->builder, count, response, NULL, NULL, NULL, NULL);
    }
    Py_DECREF(list);
    return status;
}
