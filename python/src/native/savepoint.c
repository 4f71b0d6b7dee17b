#include <string.h>

#include "arrow.h"
#include "environment.h"
#include "errors.h"
#include "job.h"

/* State read from outside a job: of savepoints, and of a job that runs. */

/* (stream capsule, columns as JSON); takes both. */
static PyObject *answer(struct ArrowArrayStream *stream, char *columns)
{
    PyObject *capsule = arrow_stream_capsule(stream);
    PyObject *text = capsule == NULL ? NULL : PyUnicode_FromString(columns);
    millstream_string_free(columns);
    if (text == NULL) return Py_XDECREF(capsule), NULL;
    return Py_BuildValue("(NN)", capsule, text);
}

/* A function that gives JSON about a savepoint. */
static PyObject *told(PyObject *path, millstream_status (*tell)(const char *, char **, millstream_error **))
{
    const char *text = PyUnicode_AsUTF8(path);
    if (text == NULL) return NULL;
    millstream_error *error = NULL;
    millstream_status result;
    char *json = NULL;
    Py_BEGIN_ALLOW_THREADS
    result = tell(text, &json, &error);
    Py_END_ALLOW_THREADS
    if (result != MILLSTREAM_OK) return error_raise_engine(result, error);
    PyObject *found = PyUnicode_FromString(json);
    millstream_string_free(json);
    return found;
}

PyObject *savepoint_describe(PyObject *module, PyObject *path) { return (void)module, told(path, millstream_savepoint_describe); }

PyObject *savepoint_manifest(PyObject *module, PyObject *path) { return (void)module, told(path, millstream_savepoint_manifest); }

PyObject *savepoint_commits(PyObject *module, PyObject *path) { return (void)module, told(path, millstream_savepoint_commits); }

/* Texts of a list of pairs (text, text), one behind the other, NULL at the end; they belong to the list. */
static const char **pairs_of(PyObject *list)
{
    if (!PyList_Check(list)) return PyErr_SetString(PyExc_TypeError, "a list of pairs of texts is needed"), NULL;
    Py_ssize_t count = PyList_GET_SIZE(list);
    const char **texts = PyMem_Calloc((size_t)count * 2 + 1, sizeof *texts);
    if (texts == NULL) return (const char **)PyErr_NoMemory();
    for (Py_ssize_t index = 0; index < count; index++) {
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, index), "ss", &texts[2 * index], &texts[2 * index + 1])) return PyMem_Free(texts), NULL;
    }
    return texts;
}

PyObject *savepoint_resolve(PyObject *module, PyObject *arguments)
{
    (void)module;
    const char *path, *target;
    PyObject *list;
    if (!PyArg_ParseTuple(arguments, "ssO:savepoint_resolve", &path, &target, &list)) return NULL;
    const char **decisions = pairs_of(list);
    if (decisions == NULL) return NULL;
    millstream_error *error = NULL;
    millstream_status result;
    Py_BEGIN_ALLOW_THREADS
    result = millstream_savepoint_resolve(path, target, decisions, &error);
    Py_END_ALLOW_THREADS
    PyMem_Free(decisions);
    return result == MILLSTREAM_OK ? Py_NewRef(Py_None) : error_raise_engine(result, error);
}

/* One change: ("put", uid, name, part, types, stream), ("remove", uid, part or None), ("rename", uid, other). */
static int change(millstream_savepoint_writer *writer, PyObject *edit)
{
    const char *kind = PyTuple_Check(edit) && PyTuple_GET_SIZE(edit) > 0 ? PyUnicode_AsUTF8(PyTuple_GET_ITEM(edit, 0)) : NULL;
    if (kind == NULL) return PyErr_SetString(PyExc_TypeError, "a change is a tuple that begins with its kind"), -1;
    const char *uid, *other;
    millstream_error *error = NULL;
    millstream_status result;
    if (strcmp(kind, "put") == 0) {
        const char *name;
        PyObject *list, *rows;
        if (!PyArg_ParseTuple(edit, "sszsOO", &kind, &uid, &name, &other, &list, &rows)) return -1;
        PyObject *capsule = PyObject_CallMethod(rows, "__arrow_c_stream__", NULL);
        struct ArrowArrayStream *stream = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, "arrow_array_stream");
        const char **types = stream == NULL ? NULL : pairs_of(list);
        if (types == NULL) return Py_XDECREF(capsule), -1;
        /* The stream's batches may be made by Python. */
        Py_BEGIN_ALLOW_THREADS
        result = millstream_savepoint_writer_put(writer, uid, name, other, types, stream, &error);
        Py_END_ALLOW_THREADS
        PyMem_Free(types);
        Py_DECREF(capsule);
    } else if (strcmp(kind, "remove") == 0) {
        if (!PyArg_ParseTuple(edit, "ssz", &kind, &uid, &other)) return -1;
        result = millstream_savepoint_writer_remove(writer, uid, other, &error);
    } else {
        if (!PyArg_ParseTuple(edit, "sss", &kind, &uid, &other)) return -1;
        result = millstream_savepoint_writer_rename(writer, uid, other, &error);
    }
    return result == MILLSTREAM_OK ? 0 : (error_raise_engine(result, error), -1);
}

PyObject *savepoint_write(PyObject *module, PyObject *arguments)
{
    (void)module;
    const char *base, *target;
    int max_parallelism;
    PyObject *edits;
    if (!PyArg_ParseTuple(arguments, "zisO!:savepoint_write", &base, &max_parallelism, &target, &PyList_Type, &edits)) return NULL;
    millstream_savepoint_writer *writer = NULL;
    millstream_error *error = NULL;
    millstream_status result;
    Py_BEGIN_ALLOW_THREADS
    result = millstream_savepoint_writer_create(base, max_parallelism, &writer, &error);
    Py_END_ALLOW_THREADS
    if (result != MILLSTREAM_OK) return error_raise_engine(result, error);
    for (Py_ssize_t index = 0; index < PyList_GET_SIZE(edits); index++) {
        if (change(writer, PyList_GET_ITEM(edits, index)) < 0) return millstream_savepoint_writer_free(writer), NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    result = millstream_savepoint_writer_write(writer, target, &error);
    Py_END_ALLOW_THREADS
    millstream_savepoint_writer_free(writer);
    return result == MILLSTREAM_OK ? Py_NewRef(Py_None) : error_raise_engine(result, error);
}

PyObject *savepoint_read(PyObject *module, PyObject *arguments)
{
    (void)module;
    const char *path, *uid, *part;
    if (!PyArg_ParseTuple(arguments, "sss:savepoint_read", &path, &uid, &part)) return NULL;
    struct ArrowArrayStream stream = {0};
    char *columns = NULL;
    millstream_error *error = NULL;
    millstream_status result;
    Py_BEGIN_ALLOW_THREADS
    result = millstream_savepoint_read(path, uid, part, &stream, &columns, &error);
    Py_END_ALLOW_THREADS
    return result == MILLSTREAM_OK ? answer(&stream, columns) : error_raise_engine(result, error);
}

PyObject *job_state(PyObject *job, PyObject *arguments)
{
    JobObject *self = (JobObject *)job;
    const char *uid, *part;
    if (!PyArg_ParseTuple(arguments, "ss:state", &uid, &part) || !job_check(self)) return NULL;
    if (self->is_settled) {
        error_raise(MILLSTREAM_INVALID_STATE, NULL, "the job has ended, so it has no state any more");
        return NULL;
    }
    struct ArrowArrayStream stream = {0};
    char *columns = NULL;
    millstream_error *error = NULL;
    millstream_status result;
    Py_BEGIN_ALLOW_THREADS
    result = millstream_job_state(self->handle, uid, part, &stream, &columns, &error);
    Py_END_ALLOW_THREADS
    return result == MILLSTREAM_OK ? answer(&stream, columns) : error_raise_engine(result, error);
}
