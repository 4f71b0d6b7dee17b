/* EXTRACT_TIMESTAMPS, WATERMARK and PARTITION: functions whose answers are numbers. */
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "host.h"
#include "kinds.h"

static int make_loop(Host *host, const char *pair, const char *call, PyObject *callable)
{
    Code code = {.lines = PyList_New(0), .indent = 1};
    PyObject *parameters = PyDict_New();
    int status = parameters == NULL || callable == NULL ? -1 : PyDict_SetItemString(parameters, "f0", callable);
    if (callable == NULL && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a function is missing");
    if (status == 0) {
        code_add(&code, -1, "for %s in rows:", pair);
        code_add(&code, 0, " out.append(%s)", call);
        status = code_compile(&code, host, parameters);
    }
    Py_XDECREF(parameters);
    return status;
}

/* Runs the loop, has its answers looked at (`check` may be NULL) and sends them; out is empty afterwards. */
static int run_and_send(Host *host, const millstream_request *request, int (*check)(Host *host, const millstream_request *request))
{
    int status = rows_begin(host->rows, request, request->count) < 0 || host_run(host) < 0 ? -1 : 0;
    Py_ssize_t count = PyList_GET_SIZE(host->out);
    if (status == 0 && check != NULL) status = check(host, request);
    if (status == 0 && count > 0) status = host_emit_values(host, request->response, host->out);
    rows_end(host->rows);
    PyObject *raised = error_take();
    if (PyList_SetSlice(host->out, 0, count, NULL) < 0) PyErr_Clear();
    error_restore(raised);
    return status;
}

/* ---- Timestamps ---- */

static PyObject *no_timestamp;

/* (value, record timestamp) */
static PyObject *step_with_timestamp(Rows *rows, int64_t row)
{
    const int64_t *timestamps = rows->request->timestamps;
    if (no_timestamp == NULL) no_timestamp = PyLong_FromLongLong(INT64_MIN);
    PyObject *timestamp = timestamps == NULL || timestamps[row] == INT64_MIN ? Py_XNewRef(no_timestamp) : PyLong_FromLongLong(timestamps[row]);
    return rows_pair(rows, step_value(rows, row), timestamp);
}

static int extract_prepare(Host *host)
{
    if (host_make_rows(host, step_with_timestamp) < 0 || row_builder_make(&host->builder, host->output, NULL) < 0) return -1;
    return make_loop(host, "v0, t", "f0(v0, t)", stage_callable(&host->stages[0], 0));
}

static int extract_call(Host *host, const millstream_request *request)
{
    if (row_reader_bind(&host->reader, request->columns, request->schema) < 0) return -1;
    int status = run_and_send(host, request, NULL);
    PyObject *raised = status < 0 ? error_take() : NULL;
    if (raised != NULL && error_status_of(raised) == MILLSTREAM_TYPE_MISMATCH) {
        PyObject *text = PyObject_Str(raised);
        error_raise(MILLSTREAM_EVENT_TIME, NULL, "the timestamp is no BIGINT of milliseconds: %V", text, "?");
        Py_XDECREF(text);
        Py_DECREF(raised);
    } else {
        error_restore(raised);
    }
    return status;
}

static const HostKind extract_kind = {.prepare = extract_prepare, .call = extract_call};

PyObject *make_extract_timestamps(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"extract", "schema", "name", NULL};
    PyObject *callable, *text, *name;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUU:extract_timestamps", names, &callable, &text, &name)) return NULL;
    Host *host = host_new(&extract_kind, 1, name);
    bool is_made = host != NULL && (host->input = schema_from_object(text)) != NULL && (host->output = schema_from_text("BIGINT NOT NULL")) != NULL
                && host_set_stage(host, 0, STAGE_OTHER, callable, name, NULL, 1) == 0;
    if (is_made) return function_wrap(host);
    host_free(host);
    return NULL;
}

/* ---- Watermarks ---- */

static int watermark_call(Host *host, const millstream_request *request)
{
    PyObject *on_event = stage_callable(&host->stages[0], 0), *on_periodic = stage_callable(&host->stages[0], 1);
    for (int64_t row = 0; on_event != NULL && request->timestamps != NULL && row < request->count; row++) {
        if (row % 16 == 15 && millstream_response_is_cancelled(request->response)) {
            error_raise(MILLSTREAM_CANCELLED, NULL, "the job is being stopped");
            return -1;
        }
        PyObject *timestamp = PyLong_FromLongLong(request->timestamps[row]);
        PyObject *result = timestamp == NULL ? NULL : PyObject_CallOneArg(on_event, timestamp);
        Py_XDECREF(timestamp);
        Py_XDECREF(result);
        if (result == NULL) return host_fail_at(host, row, 0);
    }
    PyObject *watermark = on_periodic == NULL ? Py_NewRef(Py_None) : PyObject_CallNoArgs(on_periodic);
    if (watermark == NULL) return host_fail_at(host, -1, 0);
    int status = 0;
    if (watermark != Py_None) {
        int overflow = 0;
        long long value = PyLong_Check(watermark) ? PyLong_AsLongLongAndOverflow(watermark, &overflow) : 0;
        status = PyLong_Check(watermark) && overflow == 0 ? 0 : -1;
        if (status == 0) millstream_response_integer(request->response, value);
        else error_raise(MILLSTREAM_EVENT_TIME, NULL, "the watermark is an int of milliseconds, not %.100s", Py_TYPE(watermark)->tp_name);
    }
    Py_DECREF(watermark);
    return status;
}

static const HostKind watermark_kind = {.call = watermark_call};

PyObject *make_watermark_generator(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"callables", "name", NULL};
    PyObject *callables, *name;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OU:watermark_generator", names, &callables, &name)) return NULL;
    Host *host = host_new(&watermark_kind, 1, name);
    if (host != NULL && host_set_stage(host, 0, STAGE_OTHER, callables, name, NULL, 2) == 0) return function_wrap(host);
    host_free(host);
    return NULL;
}

/* ---- Partitions ---- */

static PyObject *step_with_channels(Rows *rows, int64_t row)
{
    const millstream_request *request = rows->request;
    return rows_pair(rows, step_value(rows, row), PyLong_FromLongLong(request->integer_count > 0 ? request->integers[0] : 1));
}

static int partition_prepare(Host *host)
{
    if (host_make_rows(host, step_with_channels) < 0 || row_builder_make(&host->builder, host->output, NULL) < 0) return -1;
    return make_loop(host, "v0, n", "f0(v0, n)", stage_callable(&host->stages[0], 0));
}

/* Fails at the first record whose answer is no number of a partition. Here and not in the engine alone: the record is at hand, and the partitioner's own
 * place. */
static int check_partitions(Host *host, const millstream_request *request)
{
    int64_t channels = request->integer_count > 0 ? request->integers[0] : 1;
    for (Py_ssize_t row = 0; row < PyList_GET_SIZE(host->out); row++) {
        PyObject *given = PyList_GET_ITEM(host->out, row);
        Py_ssize_t number = PyIndex_Check(given) ? PyNumber_AsSsize_t(given, NULL) : -1;
        if (number >= 0 && number < channels) continue;
        if (number == -1 && PyErr_Occurred()) return host_fail_at(host, row, 0);
        PyObject *shown = error_representation(given);
        error_raise(
            MILLSTREAM_USER_FUNCTION, NULL, "the partitioner gave %V for %lld partitions, whose numbers are 0 to %lld", shown, "?", (long long)channels,
            (long long)channels - 1);
        Py_XDECREF(shown);
        PyObject *raised = error_take();
        Py_XSETREF(host->failed_value, row_reader_get(&host->reader, row, 0));
        PyErr_Clear();
        error_restore(raised);
        return host_fail_at(host, row, 0);
    }
    return 0;
}

static int partition_call(Host *host, const millstream_request *request)
{
    const struct ArrowArray *keys = request->keys != NULL ? request->keys : request->columns;
    const struct ArrowSchema *schema = request->keys != NULL ? request->key_schema : request->schema;
    if (row_reader_bind(&host->reader, keys, schema) < 0) return -1;
    return run_and_send(host, request, check_partitions);
}

static const HostKind partition_kind = {.prepare = partition_prepare, .call = partition_call};

PyObject *make_partitioner(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"partition", "key_schema", "name", "schema", NULL};
    PyObject *callable, *text, *name, *record = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUU|U:partitioner", names, &callable, &text, &name, &record)) return NULL;
    Host *host = host_new(&partition_kind, 1, name);
    bool is_made = host != NULL && (host->input = schema_from_object(text)) != NULL && (host->output = schema_from_text("INT NOT NULL")) != NULL
                && (record == NULL || (host->second_input = schema_from_object(record)) != NULL)
                && host_set_stage(host, 0, STAGE_OTHER, callable, name, NULL, 1) == 0;
    if (is_made) return function_wrap(host);
    host_free(host);
    return NULL;
}
