/* Exceptions: one class per status, the user's own exception as it was, and the note that says where it happened. */
#include "errors.h"

#include <frameobject.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct StatusClass {
    const char *code;
    const char *name;
    /* A builtin that programs may catch as well. */
    PyObject **also;
    PyObject *type;
} StatusClass;

static PyObject *base_class;
static StatusClass classes[] = {
    [MILLSTREAM_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", "InvalidArgumentError", &PyExc_ValueError, NULL},
    [MILLSTREAM_INVALID_HANDLE] = {"INVALID_HANDLE", "InvalidHandleError", NULL, NULL},
    [MILLSTREAM_INVALID_STATE] = {"INVALID_STATE", "InvalidStateError", NULL, NULL},
    [MILLSTREAM_CONFIGURATION] = {"CONFIGURATION", "ConfigurationError", &PyExc_ValueError, NULL},
    [MILLSTREAM_PLAN] = {"PLAN", "PlanError", NULL, NULL},
    [MILLSTREAM_TYPE_MISMATCH] = {"TYPE_MISMATCH", "TypeMismatchError", &PyExc_TypeError, NULL},
    [MILLSTREAM_DECODE] = {"DECODE", "DecodeError", &PyExc_ValueError, NULL},
    [MILLSTREAM_IO] = {"IO", "InputOutputError", &PyExc_OSError, NULL},
    [MILLSTREAM_USER_FUNCTION] = {"USER_FUNCTION", "UserFunctionError", NULL, NULL},
    [MILLSTREAM_KEY] = {"KEY", "KeyValueError", NULL, NULL},
    [MILLSTREAM_EVENT_TIME] = {"EVENT_TIME", "EventTimeError", &PyExc_ValueError, NULL},
    [MILLSTREAM_CANCELLED] = {"CANCELLED", "CancelledError", NULL, NULL},
    [MILLSTREAM_LIMIT_EXCEEDED] = {"LIMIT_EXCEEDED", "LimitExceededError", NULL, NULL},
    [MILLSTREAM_ARITHMETIC] = {"ARITHMETIC", "ArithmeticFailure", &PyExc_ArithmeticError, NULL},
    [MILLSTREAM_UNSUPPORTED] = {"UNSUPPORTED", "UnsupportedError", &PyExc_NotImplementedError, NULL},
    [MILLSTREAM_INTERNAL] = {"INTERNAL", "InternalError", NULL, NULL},
    [MILLSTREAM_COMMIT_UNKNOWN] = {"COMMIT_UNKNOWN", "CommitUnknownError", NULL, NULL},
};
#define STATUS_COUNT ((int)(sizeof classes / sizeof *classes))

static PyObject *make_class(const char *name, PyObject *also, PyObject *module)
{
    char qualified[128];
    snprintf(qualified, sizeof qualified, "millstream.exceptions.%s", name);
    PyObject *bases = base_class == NULL ? Py_BuildValue("(O)", PyExc_Exception)
                    : also == NULL       ? Py_BuildValue("(O)", base_class)
                                         : Py_BuildValue("(OO)", base_class, also);
    PyObject *type = bases == NULL ? NULL : PyErr_NewException(qualified, bases, NULL);
    Py_XDECREF(bases);
    if (type == NULL) return NULL;
    Py_INCREF(type);
    if (PyModule_AddObject(module, name, type) == 0) return type;
    Py_DECREF(type);
    Py_DECREF(type);
    return NULL;
}

bool errors_add_to(PyObject *module)
{
    base_class = make_class("MillstreamError", NULL, module);
    if (base_class == NULL) return false;
    static const char *const attributes[] = {"hint", "operator", "record"};
    for (int index = 0; index < 3; index++) {
        if (PyObject_SetAttrString(base_class, attributes[index], Py_None) < 0) return false;
    }
    PyObject *empty = PyUnicode_FromString("");
    if (empty == NULL || PyObject_SetAttrString(base_class, "code", empty) < 0 || PyObject_SetAttrString(base_class, "message", empty) < 0) return false;
    Py_DECREF(empty);
    for (int status = 1; status < STATUS_COUNT; status++) {
        classes[status].type = make_class(classes[status].name, classes[status].also == NULL ? NULL : *classes[status].also, module);
        if (classes[status].type == NULL) return false;
        PyObject *code = PyUnicode_FromString(classes[status].code);
        if (code == NULL || PyObject_SetAttrString(classes[status].type, "code", code) < 0) return false;
        Py_DECREF(code);
    }
    return true;
}

static PyObject *class_of(millstream_status status)
{
    return status > 0 && status < STATUS_COUNT ? classes[status].type : classes[MILLSTREAM_INTERNAL].type;
}

void error_set_attribute(PyObject *exception, const char *name, PyObject *value)
{
    PyObject *pending = error_take();
    if (value != NULL && PyObject_SetAttrString(exception, name, value) < 0) PyErr_Clear();
    error_restore(pending);
}

/* A new exception of the status's class; the hint stands on a second line of its text. */
static PyObject *make_exception(millstream_status status, PyObject *message, PyObject *hint)
{
    PyObject *text = hint == NULL ? Py_NewRef(message) : PyUnicode_FromFormat("%U\n  hint: %U", message, hint);
    PyObject *exception = text == NULL ? NULL : PyObject_CallOneArg(class_of(status), text);
    Py_XDECREF(text);
    if (exception == NULL) return NULL;
    error_set_attribute(exception, "message", message);
    error_set_attribute(exception, "hint", hint);
    return exception;
}

void error_raise(millstream_status status, const char *operator_name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    PyObject *message = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    PyObject *exception = message == NULL ? NULL : make_exception(status, message, NULL);
    Py_XDECREF(message);
    if (exception == NULL) return;
    if (operator_name != NULL) {
        PyObject *name = PyUnicode_FromString(operator_name);
        error_set_attribute(exception, "operator", name);
        Py_XDECREF(name);
    }
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
}

static PyObject *text_or_null(const char *text) { return text == NULL ? NULL : PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace"); }

static bool has_note(PyObject *exception, PyObject *note)
{
    PyObject *notes = PyObject_GetAttrString(exception, "__notes__");
    int found = notes == NULL ? 0 : PySequence_Contains(notes, note);
    Py_XDECREF(notes);
    PyErr_Clear();
    return found == 1;
}

/* What failed behind it, while functions were closed; once, however often the job is asked for its failure. */
static void add_suppressed(PyObject *exception, millstream_error *error)
{
    const char *text;
    for (int32_t index = 0; (text = millstream_error_suppressed(error, index)) != NULL; index++) {
        PyObject *note = PyUnicode_FromFormat("suppressed: %s", text);
        if (note != NULL && !has_note(exception, note)) error_add_note(exception, note);
        Py_XDECREF(note);
        PyErr_Clear();
    }
}

/* "in operator 'Map' (job.py:12)"; nothing where the operator has no name. */
static void add_operator(PyObject *exception, PyObject *name, PyObject *places)
{
    if (name == NULL || PyUnicode_GET_LENGTH(name) == 0) return;
    PyObject *place = places == NULL ? NULL : PyDict_GetItem(places, name);
    PyObject *note = place == NULL ? PyUnicode_FromFormat("in operator '%U'", name) : PyUnicode_FromFormat("in operator '%U' (%S)", name, place);
    if (note != NULL) error_add_note(exception, note);
    Py_XDECREF(note);
    PyErr_Clear();
}

/* An exception that no host function reported, but the program's printing, does not say yet where it was raised. */
static bool has_operator(PyObject *exception)
{
    PyObject *notes = PyObject_GetAttrString(exception, "__notes__");
    PyObject *text = notes == NULL ? NULL : PyObject_Str(notes), *words = PyUnicode_FromString("in operator '");
    bool is_there = text != NULL && words != NULL && PyUnicode_Find(text, words, 0, PyUnicode_GET_LENGTH(text), 1) >= 0;
    Py_XDECREF(words);
    Py_XDECREF(text);
    Py_XDECREF(notes);
    PyErr_Clear();
    return is_there;
}

PyObject *error_to_exception(millstream_status status, millstream_error *error, PyObject *places)
{
    PyObject *own = error == NULL ? NULL : millstream_error_exception(error);
    if (own != NULL) {
        Py_INCREF(own);
        if (!has_operator(own)) {
            PyObject *name = text_or_null(millstream_error_operator(error));
            add_operator(own, name, places);
            Py_XDECREF(name);
            PyErr_Clear();
        }
        add_suppressed(own, error);
        millstream_error_free(error);
        return own;
    }
    const char *text = error == NULL ? NULL : millstream_error_message(error);
    PyObject *message = text_or_null(text == NULL ? "the engine refused the call without saying why" : text);
    PyObject *hint = error == NULL ? NULL : text_or_null(millstream_error_hint(error));
    PyObject *exception = message == NULL ? NULL : make_exception(error == NULL ? status : millstream_error_status(error), message, hint);
    if (exception != NULL && error != NULL) {
        PyObject *name = text_or_null(millstream_error_operator(error));
        error_set_attribute(exception, "operator", name);
        add_operator(exception, name, places);
        Py_XDECREF(name);
        int64_t index = millstream_error_record(error);
        PyObject *record = index < 0 ? NULL : PyLong_FromLongLong(index);
        error_set_attribute(exception, "record", record);
        Py_XDECREF(record);
        add_suppressed(exception, error);
    }
    Py_XDECREF(message);
    Py_XDECREF(hint);
    millstream_error_free(error);
    return exception;
}

PyObject *error_raise_engine(millstream_status status, millstream_error *error)
{
    PyObject *exception = error_to_exception(status, error, NULL);
    if (exception != NULL) error_restore(exception);
    return NULL;
}

bool error_is_ours(PyObject *exception) { return PyObject_TypeCheck(exception, (PyTypeObject *)base_class); }

millstream_status error_status_of(PyObject *exception)
{
    for (int status = 1; status < STATUS_COUNT; status++) {
        if (PyObject_TypeCheck(exception, (PyTypeObject *)classes[status].type)) return (millstream_status)status;
    }
    return MILLSTREAM_USER_FUNCTION;
}

PyObject *error_traceback(PyObject *exception)
{
    PyObject *traceback = PyException_GetTraceback(exception);
    if (traceback != Py_None) return traceback;
    Py_DECREF(traceback);
    return NULL;
}

PyObject *error_take(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) return NULL;
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) PyException_SetTraceback(value, traceback);
    Py_XDECREF(traceback);
    Py_DECREF(type);
    return value;
#endif
}

void error_restore(PyObject *exception)
{
    if (exception == NULL) return;
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, error_traceback(exception));
#endif
}

void error_add_note(PyObject *exception, PyObject *note)
{
    if (note == NULL) return;
    PyObject *result = PyObject_CallMethod(exception, "add_note", "O", note);
    if (result == NULL) {
        /* Python 3.10 shows no notes; tools that read `__notes__` still find it. */
        PyErr_Clear();
        PyObject *notes = Py_BuildValue("[O]", note);
        if (notes == NULL || PyObject_SetAttrString(exception, "__notes__", notes) < 0) PyErr_Clear();
        Py_XDECREF(notes);
    }
    Py_XDECREF(result);
}

/* The folder of the Python package, whose frames say nothing to the user, with a slash behind it; NULL as long as it is not known. */
static const char *package_folder(void)
{
    static char *folder;
    if (folder != NULL) return folder;
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *module = PyDict_GetItemString(modules, "millstream");
    PyObject *file = module == NULL ? NULL : PyObject_GetAttrString(module, "__file__");
    const char *text = file != NULL && PyUnicode_Check(file) ? PyUnicode_AsUTF8(file) : NULL;
    const char *end = text == NULL ? NULL : strrchr(text, '/');
    if (end != NULL) folder = strndup(text, (size_t)(end - text) + 1);
    PyErr_Clear();
    Py_XDECREF(file);
    return folder;
}

static bool is_own_code(PyCodeObject *code)
{
    const char *file = PyUnicode_AsUTF8(code->co_filename), *folder = package_folder();
    if (file == NULL) PyErr_Clear();
    return file != NULL && (strcmp(file, "<millstream>") == 0 || (folder != NULL && strncmp(file, folder, strlen(folder)) == 0));
}

bool error_is_own_frame(PyObject *traceback)
{
    PyCodeObject *code = PyFrame_GetCode(((PyTracebackObject *)traceback)->tb_frame);
    bool is_own = is_own_code(code);
    Py_DECREF(code);
    return is_own;
}

bool error_keeps_frames(void)
{
    const char *wanted = getenv("MILLSTREAM_FULL_TRACEBACK");
    return wanted != NULL && *wanted != '\0' && strcmp(wanted, "0") != 0;
}

void error_strip_frames(PyObject *exception)
{
    if (error_keeps_frames()) return;
    PyObject *traceback = error_traceback(exception);
    while (traceback != NULL && error_is_own_frame(traceback)) {
        PyObject *next = (PyObject *)((PyTracebackObject *)traceback)->tb_next;
        Py_XINCREF(next);
        Py_SETREF(traceback, next);
    }
    PyException_SetTraceback(exception, traceback == NULL ? Py_None : traceback);
    Py_XDECREF(traceback);
}

PyObject *error_representation(PyObject *value)
{
    PyObject *text = value == NULL ? PyUnicode_FromString("nothing") : PyObject_Repr(value);
    if (text == NULL) {
        PyErr_Clear();
        text = PyUnicode_FromFormat("<%.100s whose repr failed>", Py_TYPE(value)->tp_name);
    }
    /* A message has a line for it: what is shown over several lines (an array) comes on one. */
    if (text != NULL && PyUnicode_FindChar(text, '\n', 0, PyUnicode_GET_LENGTH(text), 1) >= 0) {
        PyObject *words = PyUnicode_Split(text, NULL, -1), *blank = PyUnicode_FromString(" ");
        PyObject *line = words == NULL || blank == NULL ? NULL : PyUnicode_Join(blank, words);
        Py_XDECREF(words);
        Py_XDECREF(blank);
        if (line == NULL) PyErr_Clear();
        else Py_SETREF(text, line);
    }
    if (text != NULL && PyUnicode_GET_LENGTH(text) > REPRESENTATION_LIMIT) {
        PyObject *cut = PyUnicode_Substring(text, 0, REPRESENTATION_LIMIT - 1);
        Py_SETREF(text, cut == NULL ? NULL : PyUnicode_FromFormat("%U...", cut));
        Py_XDECREF(cut);
    }
    /* A lone surrogate in a repr cannot be shown or sent on. */
    if (text != NULL && PyUnicode_AsUTF8(text) == NULL) {
        PyErr_Clear();
        Py_SETREF(text, PyObject_ASCII(text));
    }
    if (text == NULL) PyErr_Clear();
    return text;
}

PyObject *error_place_of(PyObject *callable)
{
    PyObject *function = callable == NULL ? NULL : Py_NewRef(callable);
    static const char *const ways[] = {"__func__", "__wrapped__", "func"};
    for (int index = 0; function != NULL && index < 3; index++) {
        PyObject *inner = PyObject_GetAttrString(function, ways[index]);
        if (inner != NULL) Py_SETREF(function, inner);
        PyErr_Clear();
    }
    PyObject *code = function == NULL ? NULL : PyObject_GetAttrString(function, "__code__");
    if (code == NULL && function != NULL) {
        PyErr_Clear();
        PyObject *call = PyObject_GetAttrString((PyObject *)Py_TYPE(function), "__call__");
        code = call == NULL ? NULL : PyObject_GetAttrString(call, "__code__");
        Py_XDECREF(call);
    }
    PyObject *place = NULL;
    if (code != NULL && PyCode_Check(code) && !is_own_code((PyCodeObject *)code)) {
        place = PyUnicode_FromFormat("%U:%d", ((PyCodeObject *)code)->co_filename, ((PyCodeObject *)code)->co_firstlineno);
    }
    PyErr_Clear();
    Py_XDECREF(code);
    Py_XDECREF(function);
    return place;
}
