/* Interpreter exit. What waits there waits in steps, so that signals are heard: a Ctrl-C ends the wait. */
#include "shutdown.h"

#include <stdbool.h>

#include "errors.h"
#include "gate.h"
#include "host.h"
#include "job.h"

/* How long interpreter exit waits for a user's function that does not return. */
#define EXIT_WAIT_MILLISECONDS 10000
/* The same after a second Ctrl-C. */
#define HURRIED_WAIT_MILLISECONDS 500

void shutdown_say_waiting(const char *what, const char *way_out)
{
    PyObject *running = host_describe_running();
    PyObject *line = running == NULL ? PyUnicode_FromFormat("millstream: %s; %s\n", what, way_out)
                                     : PyUnicode_FromFormat("millstream: %s; %U; %s\n", what, running, way_out);
    Py_XDECREF(running);
    PyObject *target = PySys_GetObject("stderr");
    if (line != NULL && target != NULL && target != Py_None) {
        Py_INCREF(target);
        PyObject *result = PyFile_WriteObject(line, target, Py_PRINT_RAW) < 0 ? NULL : PyObject_CallMethod(target, "flush", NULL);
        Py_XDECREF(result);
        Py_DECREF(target);
    }
    Py_XDECREF(line);
    PyErr_Clear();
}

PyObject *shutdown_now(PyObject *module, PyObject *arguments)
{
    (void)module;
    long long milliseconds = EXIT_WAIT_MILLISECONDS;
    if (!PyArg_ParseTuple(arguments, "|L:shutdown", &milliseconds)) return NULL;
    millstream_error *error = NULL;
    millstream_status status = gate_stop_jobs(milliseconds, &error);
    gate_close(status == MILLSTREAM_OK);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    Py_RETURN_NONE;
}

/* Nobody is there to hear of a failure; the process ends in any case. */
static PyObject *at_exit(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    bool is_stopped = false;
    int limit = gate_is_hurried() ? HURRIED_WAIT_MILLISECONDS : EXIT_WAIT_MILLISECONDS;
    for (int waited = 0; !is_stopped && waited < limit; waited += WAIT_STEP_MILLISECONDS) {
        millstream_error *error = NULL;
        is_stopped = gate_stop_jobs(WAIT_STEP_MILLISECONDS, &error) == MILLSTREAM_OK;
        if (!is_stopped && waited == SILENT_WAIT_MILLISECONDS) {
            char what[512];
            snprintf(what, sizeof what, "exit waits: %s", error == NULL ? "a job has not stopped" : millstream_error_message(error));
            shutdown_say_waiting(what, "Ctrl-C ends the wait, which lasts 10 seconds at most");
        }
        millstream_error_free(error);
        if (is_stopped || PyErr_CheckSignals() == 0) continue;
        PyErr_Clear();
        break;
    }
    gate_close(is_stopped);
    Py_RETURN_NONE;
}

static PyMethodDef at_exit_definition = {"_at_exit", at_exit, METH_NOARGS, NULL};

int shutdown_register(void)
{
    PyObject *atexit_module = PyImport_ImportModule("atexit");
    PyObject *function = PyCFunction_New(&at_exit_definition, NULL);
    PyObject *result = atexit_module == NULL || function == NULL ? NULL : PyObject_CallMethod(atexit_module, "register", "O", function);
    Py_XDECREF(atexit_module);
    Py_XDECREF(function);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}
