/* The end: jobs are stopped, and whoever waits is told for what. */
#ifndef MILLSTREAM_NATIVE_SHUTDOWN_H
#define MILLSTREAM_NATIVE_SHUTDOWN_H

#include <Python.h>

/* A wait for jobs to stop says on standard error what it waits for when it has lasted so long. */
#define SILENT_WAIT_MILLISECONDS 2000

/* "millstream: <what>; operator 'Map' is in slow (job.py:12); <way_out>" on standard error. Never fails. */
void shutdown_say_waiting(const char *what, const char *way_out);

/* shutdown(milliseconds): stops the jobs, then closes the gate. */
PyObject *shutdown_now(PyObject *module, PyObject *arguments);
/* Does the same at interpreter exit. 0 or -1. */
int shutdown_register(void);

#endif
