#include <string.h>

#include "environment.h"
#include "errors.h"
#include "job.h"

/* Sessions of SQL. */

typedef struct SQLSessionObject {
    PyObject_HEAD
    millstream_sql *handle;
    /* What the jobs' printing calls. */
    PyObject *text_output;
} SQLSessionObject;

static void session_dealloc(SQLSessionObject *self)
{
    if (self->handle != NULL) millstream_sql_free(self->handle);
    Py_XDECREF(self->text_output);
    Py_TYPE(self)->tp_free(self);
}

PyTypeObject SQLSession_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "millstream._native.SQLSession",
    .tp_basicsize = sizeof(SQLSessionObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "Catalogs, options, and what statements made in them.",
    .tp_dealloc = (destructor)session_dealloc,
};

PyObject *sql_session(PyObject *module, PyObject *environment)
{
    (void)module;
    if (!PyObject_TypeCheck(environment, &Environment_Type)) return PyErr_SetString(PyExc_TypeError, "an Environment is needed"), NULL;
    EnvironmentObject *owner = (EnvironmentObject *)environment;
    if (!environment_check(owner)) return NULL;
    millstream_sql *handle = NULL;
    millstream_error *error = NULL;
    const millstream_status status = millstream_sql_create(owner->handle, &handle, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    SQLSessionObject *self = PyObject_New(SQLSessionObject, &SQLSession_Type);
    if (self == NULL) return millstream_sql_free(handle), NULL;
    self->handle = handle;
    self->text_output = Py_XNewRef(owner->text_output);
    return (PyObject *)self;
}

PyObject *sql_execute(PyObject *module, PyObject *arguments)
{
    (void)module;
    SQLSessionObject *self;
    const char *statement;
    if (!PyArg_ParseTuple(arguments, "O!s:sql_execute", &SQLSession_Type, &self, &statement)) return NULL;
    millstream_error *error = NULL;
    millstream_status status;
    char *description = NULL;
    millstream_job *job = NULL;
    Py_BEGIN_ALLOW_THREADS
    status = millstream_execute_sql(self->handle, statement, &description, &job, NULL, &error);
    Py_END_ALLOW_THREADS
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    PyObject *text = take_text(description);
    PyObject *started = text == NULL ? NULL : job == NULL ? Py_NewRef(Py_None) : job_wrap(job, self->text_output, NULL);
    if (started == NULL) return Py_XDECREF(text), NULL;
    return Py_BuildValue("(NN)", text, started);
}

PyObject *sql_split(PyObject *module, PyObject *text)
{
    (void)module;
    Py_ssize_t size;
    const char *script = PyUnicode_AsUTF8AndSize(text, &size);
    if (script == NULL) return NULL;
    char *json = NULL;
    millstream_error *error = NULL;
    const millstream_status status = millstream_sql_split(script, &json, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    PyObject *parts = PyList_New(0);
    /* [{"start":0,"end":8}, ...]: written by the engine itself. */
    const char *place = json;
    long start, end;
    while (parts != NULL && (place = strstr(place, "{\"start\":")) != NULL && sscanf(place, "{\"start\":%ld,\"end\":%ld}", &start, &end) == 2) {
        place++;
        PyObject *part = start < 0 || end > size || start > end ? NULL : PyUnicode_FromStringAndSize(script + start, end - start);
        if (part == NULL || PyList_Append(parts, part) < 0) Py_CLEAR(parts);
        Py_XDECREF(part);
    }
    millstream_string_free(json);
    return parts;
}
