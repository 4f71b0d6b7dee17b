/* When a call fails: which stage, which record, and the user's exception on its way to the engine. Nothing of this costs a call that succeeds. */
#include <Python.h>
#include <frameobject.h>

#include "errors.h"
#include "host.h"

int host_fail_at(Host *host, int64_t row, int stage)
{
    host->failed_row = row;
    host->failed_stage = stage;
    return -1;
}

/* From the first frame of the traceback, if it is the generated loop: the stage by its line, and the value that went into it. */
static PyObject *read_loop_frame(Host *host, PyObject *exception)
{
    PyTracebackObject *traceback = (PyTracebackObject *)error_traceback(exception);
    PyObject *value = NULL;
    if (traceback == NULL) return NULL;
    PyCodeObject *code = PyFrame_GetCode(traceback->tb_frame);
    int line = PyFrame_GetLineNumber(traceback->tb_frame);
    if (host->function != NULL && (PyObject *)code == PyFunction_GET_CODE(host->function)) {
        if (traceback->tb_lineno > 0) line = traceback->tb_lineno;
        /* Line 1 is the header. */
        int stage = line >= 2 && line - 2 < host->line_count ? host->line_stages[line - 2] : -1;
        if (stage >= 0) host->failed_stage = stage;
        if (host->rows != NULL && host->failed_row < 0) host->failed_row = host->rows->next - 1;
        PyObject *locals = PyObject_GetAttrString((PyObject *)traceback->tb_frame, "f_locals");
        /* A filter makes no value of its own: the one before it went on. */
        for (int index = stage < 0 ? 0 : stage; locals != NULL && value == NULL && index >= 0; index--) {
            char name[24];
            snprintf(name, sizeof name, "v%d", index);
            value = PyMapping_GetItemString(locals, name);
            PyErr_Clear();
        }
        Py_XDECREF(locals);
        PyErr_Clear();
    }
    Py_DECREF(code);
    Py_DECREF(traceback);
    return value;
}

/* The same for a loop of the package over a batch's values, whose variables `failed_row` and `value` tell. */
static PyObject *read_package_loop(Host *host, PyObject *exception)
{
    PyObject *traceback = error_traceback(exception), *value = NULL;
    if (traceback != NULL && error_is_own_frame(traceback)) {
        PyObject *locals = PyObject_GetAttrString((PyObject *)((PyTracebackObject *)traceback)->tb_frame, "f_locals");
        PyObject *row = locals == NULL ? NULL : PyMapping_GetItemString(locals, "failed_row");
        int64_t number = row == NULL || !PyLong_Check(row) ? -1 : PyLong_AsLongLong(row);
        if (number >= 0) {
            host->failed_row = number;
            value = PyMapping_GetItemString(locals, "value");
        }
        Py_XDECREF(row);
        Py_XDECREF(locals);
    }
    PyErr_Clear();
    Py_XDECREF(traceback);
    return value;
}

static PyObject *describe_place(const Host *host, int stage)
{
    if (stage < 0) return Py_XNewRef(host->call_site);
    const Stage *found = &host->stages[stage];
    PyObject *source = found->source;
    if (Py_TYPE(source) == &PerSubtask_Type) {
        PyObject *described = per_subtask_describe(source);
        source = described == NULL ? stage_callable(found, 0) : described;
    } else if (PyTuple_Check(source)) {
        source = stage_callable(found, 0);
    } else if (host->second_extra != NULL && host->context != NULL) {
        source = host->second_extra;
    }
    PyObject *place = error_place_of(source);
    return place != NULL ? place : Py_XNewRef(found->call_site);
}

/* A longer note: `format` takes the note and what is added. Takes the note over; without memory it stays as it was. */
static PyObject *add_text(PyObject *note, const char *format, PyObject *added)
{
    PyObject *result = note == NULL || added == NULL ? NULL : PyUnicode_FromFormat(format, note, added);
    PyErr_Clear();
    if (result == NULL) return note;
    Py_DECREF(note);
    return result;
}

static PyObject *add_value(PyObject *note, const char *format, PyObject *value)
{
    PyObject *shown = value == NULL ? NULL : error_representation(value);
    note = add_text(note, format, shown);
    Py_XDECREF(shown);
    return note;
}

static PyObject *add_number(PyObject *note, const char *format, int64_t number)
{
    PyObject *shown = PyUnicode_FromFormat("%lld", (long long)number);
    note = add_text(note, format, shown);
    Py_XDECREF(shown);
    return note;
}

static PyObject *add_words(PyObject *note, const char *words)
{
    PyObject *text = PyUnicode_FromString(words);
    note = add_text(note, "%U%U", text);
    Py_XDECREF(text);
    return note;
}

static PyObject *add_key(PyObject *note, Host *host, const millstream_request *request, int64_t row)
{
    if (request->keys == NULL || host->keys == NULL || row < 0 || row >= request->count) return note;
    PyObject *key = row_reader_get(&host->second_reader, row, 0);
    note = add_value(note, "%U, key %U", key);
    Py_XDECREF(key);
    return note;
}

/* Of a partitioner, which was called with keys: the record, where its schema is known. */
static PyObject *add_record(PyObject *note, Host *host, const millstream_request *request, int64_t row)
{
    if (host->second_input == NULL || request->columns == NULL || row < 0 || row >= request->count) return note;
    bool is_read = host->other_reader.schema != NULL || row_reader_make(&host->other_reader, host->second_input) == 0;
    is_read = is_read && row_reader_bind(&host->other_reader, request->columns, request->schema) == 0;
    PyObject *record = is_read ? row_reader_get(&host->other_reader, row, 0) : NULL;
    if (record == NULL) PyErr_Clear();
    else note = add_value(note, "%U: %U", record);
    Py_XDECREF(record);
    return note;
}

/* What the function was called with. */
static PyObject *add_call(PyObject *note, Host *host, const millstream_request *request, PyObject *value)
{
    int64_t row = host->failed_row, record = host->record_count + row;
    bool has_windows = request->window_starts != NULL && request->window_ends != NULL && row >= 0 && row < request->count;
    switch (request->operation) {
    case MILLSTREAM_OPERATION_OPEN: return add_words(note, ", while it was opened");
    case MILLSTREAM_OPERATION_CLOSE: return add_words(note, ", while it was closed");
    case MILLSTREAM_OPERATION_TIMERS: {
        bool is_event_time = request->integer_count == 0 || request->integers[0] == 0;
        note = add_value(note, is_event_time ? "%U, event-time timer at %U" : "%U, processing-time timer at %U", value);
        return add_key(note, host, request, row);
    }
    case MILLSTREAM_OPERATION_WINDOW:
        if (has_windows) note = add_number(note, "%U, window from %U", request->window_starts[row]);
        if (has_windows) note = add_number(note, "%U to %U", request->window_ends[row]);
        note = add_key(note, host, request, row);
        return add_value(note, has_windows ? "%U: %U" : "%U, window of %U", value);
    case MILLSTREAM_OPERATION_PARTITION:
        if (row >= 0) note = add_number(note, "%U, record %U", record);
        note = add_record(note, host, request, row);
        return add_value(note, "%U, key %U", value);
    case MILLSTREAM_OPERATION_READ:
        if (row < 0) return add_number(note, host->record_count == 1 ? "%U, after %U record" : "%U, after %U records", host->record_count);
        break;
    case MILLSTREAM_OPERATION_WRITE:
        if (row >= 0 || request->count == 0) break;
        note = add_number(note, "%U, in the batch of records %U", host->record_count);
        return add_number(note, "%U to %U", host->record_count + request->count - 1);
    default: break;
    }
    if (row >= 0) note = add_number(note, "%U, record %U", record);
    if (row >= 0 && host->second_input != NULL) note = add_words(note, request->input == 0 ? " of the first input" : " of the second input");
    return add_value(note, "%U: %U", value);
}

/* "in operator 'parse' (job.py:12), record 7: 'abc'"; of a timer: "in operator 'count' (job.py:12), event-time timer at 60000, key 'a'" */
static PyObject *make_note(Host *host, const millstream_request *request, PyObject *name, int stage, PyObject *value)
{
    PyObject *place = describe_place(host, stage);
    PyObject *note = place == NULL ? PyUnicode_FromFormat("in operator '%U'", name) : PyUnicode_FromFormat("in operator '%U' (%U)", name, place);
    Py_XDECREF(place);
    PyErr_Clear();
    return add_call(note, host, request, value);
}

static PyObject *make_message(PyObject *exception)
{
    PyObject *text = PyObject_Str(exception);
    if (text == NULL) {
        PyErr_Clear();
        text = PyUnicode_FromString("(its text could not be made)");
    }
    PyObject *message = text == NULL ? NULL : PyUnicode_FromFormat("%.200s: %U", Py_TYPE(exception)->tp_name, text);
    Py_XDECREF(text);
    return message;
}

/* A StopIteration that leaves a function would end the loop over the job's results, as if there were no more: it becomes a RuntimeError, as it does in a
 * generator. Takes the exception over. */
static PyObject *unstopped(PyObject *exception, PyObject *name)
{
    if (!PyErr_GivenExceptionMatches(exception, PyExc_StopIteration)) return exception;
    PyObject *text = PyUnicode_FromFormat("'%U' raised %s", name, Py_TYPE(exception)->tp_name);
    PyObject *wrapped = text == NULL ? NULL : PyObject_CallOneArg(PyExc_RuntimeError, text);
    Py_XDECREF(text);
    PyErr_Clear();
    if (wrapped == NULL) return exception;
    PyException_SetContext(wrapped, Py_NewRef(exception));
    PyException_SetCause(wrapped, exception);
    return wrapped;
}

/* Gives an exception to the engine, which ends the job with it. Takes it over. */
static void give(millstream_response *response, PyObject *exception, int64_t row)
{
    PyObject *message = make_message(exception);
    const char *text = message == NULL ? NULL : PyUnicode_AsUTF8(message);
    if (text == NULL) PyErr_Clear();
    millstream_response_fail(response, error_status_of(exception), text == NULL ? "a Python function failed" : text, row, exception);
    Py_XDECREF(message);
    PyErr_Clear();
}

void host_report_text(millstream_response *response)
{
    PyObject *exception = error_take(), *name = PyUnicode_FromString("the output stream");
    error_strip_frames(exception);
    if (name != NULL) exception = unstopped(exception, name);
    PyErr_Clear();
    Py_XDECREF(name);
    give(response, exception, -1);
}

/* The same for a host function, with a note that says which, and with what. */
void host_report(Host *host, const millstream_request *request)
{
    PyObject *exception = error_take();
    if (exception == NULL) {
        millstream_response_fail(request->response, MILLSTREAM_INTERNAL, "a host function failed without an exception", -1, NULL);
        return;
    }
    bool is_timer = request->operation == MILLSTREAM_OPERATION_TIMERS;
    PyObject *value = host->failed_value != NULL ? host->failed_value : read_loop_frame(host, exception);
    host->failed_value = NULL;
    if (value == NULL) value = read_package_loop(host, exception);
    int stage = host->failed_stage >= 0 && host->failed_stage < host->stage_count ? host->failed_stage : host->stage_count == 1 ? 0 : -1;
    PyObject *name = stage >= 0 ? host->stages[stage].name : host->name;
    error_strip_frames(exception);
    exception = unstopped(exception, name);
    bool is_ours = error_is_ours(exception);
    if (is_ours) {
        error_set_attribute(exception, "operator", name);
        PyObject *record = host->failed_row < 0 || is_timer ? NULL : PyLong_FromLongLong(host->record_count + host->failed_row);
        error_set_attribute(exception, "record", record);
        Py_XDECREF(record);
    }
    PyObject *note = make_note(host, request, name, stage, value);
    error_add_note(exception, note);
    Py_XDECREF(note);
    Py_XDECREF(value);
    give(request->response, exception, is_timer ? -1 : host->failed_row);
}
