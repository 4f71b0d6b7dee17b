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

PyObject *savepoint_describe(PyObject *module, PyObject *path)
{
    (void)module;
    const char *text = PyUnicode_AsUTF8(path);
    if (text == NULL) return NULL;
    millstream_error *error = NULL;
    millstream_status result;
    char *json = NULL;
    Py_BEGIN_ALLOW_THREADS
    result = millstream_savepoint_describe(text, &json, &error);
    Py_END_ALLOW_THREADS
    if (result != MILLSTREAM_OK) return error_raise_engine(result, error);
    PyObject *found = PyUnicode_FromString(json);
    millstream_string_free(json);
    return found;
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
