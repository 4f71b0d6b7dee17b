/* Clock: processing time that only the program moves. Its waits hear signals, as those for jobs do. */
#include "environment.h"
#include "errors.h"
#include "gate.h"
#include "job.h"

typedef struct ClockObject {
    PyObject_HEAD
    millstream_clock *handle;
} ClockObject;

static PyObject *clock_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"start", NULL};
    long long start;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "L:Clock", names, &start) || !gate_check()) return NULL;
    ClockObject *self = (ClockObject *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_clock_create(start, &self->handle, &error);
    if (status == MILLSTREAM_OK) return (PyObject *)self;
    Py_DECREF(self);
    return error_raise_engine(status, error);
}

static void clock_dealloc(ClockObject *self)
{
    if (self->handle != NULL && gate_is_usable()) millstream_clock_free(self->handle);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *clock_now(ClockObject *self, PyObject *unused)
{
    (void)unused;
    int64_t now = 0;
    millstream_error *error = NULL;
    millstream_status status = gate_check() ? millstream_clock_now(self->handle, &now, &error) : MILLSTREAM_INVALID_STATE;
    if (PyErr_Occurred()) return NULL;
    return status == MILLSTREAM_OK ? PyLong_FromLongLong(now) : error_raise_engine(status, error);
}

static PyObject *clock_advance(ClockObject *self, PyObject *arguments)
{
    long long milliseconds;
    if (!PyArg_ParseTuple(arguments, "L:advance", &milliseconds) || !gate_check()) return NULL;
    millstream_error *error = NULL;
    millstream_status status;
    Py_BEGIN_ALLOW_THREADS
    status = millstream_clock_advance(self->handle, milliseconds, &error);
    Py_END_ALLOW_THREADS
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    Py_RETURN_NONE;
}

static PyObject *clock_wait(ClockObject *self, PyObject *arguments)
{
    long long milliseconds;
    if (!PyArg_ParseTuple(arguments, "L:wait", &milliseconds) || !gate_check()) return NULL;
    if (milliseconds != 0 && !gate_check_may_wait("wait for a clock")) return NULL;
    for (;;) {
        int64_t step = milliseconds < 0 || milliseconds > WAIT_STEP_MILLISECONDS ? WAIT_STEP_MILLISECONDS : milliseconds;
        int32_t is_at_rest = 0;
        millstream_error *error = NULL;
        millstream_status status;
        Py_BEGIN_ALLOW_THREADS
        status = millstream_clock_wait(self->handle, step, &is_at_rest, &error);
        Py_END_ALLOW_THREADS
        if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
        if (is_at_rest) Py_RETURN_TRUE;
        if (PyErr_CheckSignals() < 0) return NULL;
        if (milliseconds < 0) continue;
        milliseconds -= step;
        if (milliseconds <= 0) Py_RETURN_FALSE;
    }
}

static PyMethodDef clock_methods[] = {
    {"now", (PyCFunction)clock_now, METH_NOARGS, "Milliseconds since 1970-01-01 UTC."},
    {"advance", (PyCFunction)clock_advance, METH_VARARGS, "Has it go on by so many milliseconds, and returns at once."},
    {"wait", (PyCFunction)clock_wait, METH_VARARGS, "Waits until it is there and its jobs are at rest; False: not in so many milliseconds."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject Clock_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Clock",
    .tp_doc = "Processing time that only the program moves.",
    .tp_basicsize = sizeof(ClockObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = clock_new,
    .tp_dealloc = (destructor)clock_dealloc,
    .tp_methods = clock_methods,
};

PyObject *environment_set_clock(EnvironmentObject *self, PyObject *clock)
{
    if (!environment_check(self)) return NULL;
    if (clock != Py_None && !PyObject_TypeCheck(clock, &Clock_Type)) return PyErr_Format(PyExc_TypeError, "clock is a Clock or None");
    millstream_error *error = NULL;
    millstream_status status = millstream_environment_set_clock(self->handle, clock == Py_None ? NULL : ((ClockObject *)clock)->handle, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    Py_RETURN_NONE;
}
