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
    PyTracebackObject *traceback = (PyTracebackObject *)PyException_GetTraceback(exception);
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

static PyObject *describe_place(const Host *host, int stage)
{
    if (stage < 0) return NULL;
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
    return error_place_of(source);
}

/* "in operator 'parse' (job.py:12), record 7: 'abc'"; of a timer: "in operator 'count' (job.py:12), timer: 60000" */
static PyObject *make_note(Host *host, PyObject *name, int stage, PyObject *value, bool is_timer)
{
    PyObject *place = describe_place(host, stage);
    PyObject *note = place == NULL ? PyUnicode_FromFormat("in operator '%U'", name) : PyUnicode_FromFormat("in operator '%U' (%U)", name, place);
    Py_XDECREF(place);
    if (note != NULL && is_timer) {
        Py_SETREF(note, PyUnicode_FromFormat("%U, timer", note));
    } else if (note != NULL && host->failed_row >= 0) {
        Py_SETREF(note, PyUnicode_FromFormat("%U, record %lld", note, (long long)(host->record_count + host->failed_row)));
    }
    if (note != NULL && value != NULL) {
        PyObject *shown = error_representation(value);
        if (shown != NULL) Py_SETREF(note, PyUnicode_FromFormat("%U: %U", note, shown));
        Py_XDECREF(shown);
    }
    PyErr_Clear();
    return note;
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

/* The raised exception goes to the engine, which ends the job with it. */
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
    if (is_timer) host->failed_row = -1;
    int stage = host->failed_stage >= 0 && host->failed_stage < host->stage_count ? host->failed_stage : host->stage_count == 1 ? 0 : -1;
    PyObject *name = stage >= 0 ? host->stages[stage].name : host->name;
    error_strip_frames(exception);
    bool is_ours = error_is_ours(exception);
    if (is_ours) {
        error_set_attribute(exception, "operator", name);
        PyObject *record = host->failed_row < 0 ? NULL : PyLong_FromLongLong(host->record_count + host->failed_row);
        error_set_attribute(exception, "record", record);
        Py_XDECREF(record);
    }
    PyObject *note = make_note(host, name, stage, value, is_timer);
    error_add_note(exception, note);
    PyObject *message = make_message(exception);
    const char *text = message == NULL ? NULL : PyUnicode_AsUTF8(message);
    if (text == NULL) PyErr_Clear();
    millstream_response_fail(
        request->response, error_status_of(exception), text == NULL ? "a Python function failed" : text, host->failed_row, Py_NewRef(exception));
    Py_XDECREF(message);
    Py_XDECREF(note);
    Py_XDECREF(value);
    Py_DECREF(exception);
    PyErr_Clear();
}
