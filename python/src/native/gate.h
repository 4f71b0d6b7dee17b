/* The door between the engine's threads and the interpreter: the GIL, interpreter exit, and fork. */
#ifndef MILLSTREAM_NATIVE_GATE_H
#define MILLSTREAM_NATIVE_GATE_H

#include <Python.h>
#include <stdbool.h>

/* From an engine thread: takes the GIL. False when the interpreter is on its way out; then no Python function may be called. */
bool gate_enter(PyGILState_STATE *state);
void gate_leave(PyGILState_STATE state);

/* From Python: false, with EngineForkedError or InvalidStateError raised, where the engine cannot be used. Remembers that the engine has started. */
bool gate_check(void);
/* From Python: false, with InvalidStateError raised, inside a function of a job, where waiting for the engine may wait for ever. */
bool gate_check_may_wait(const char *what);
/* The user does not want to wait any longer: interpreter exit gives functions that run little time to return. */
void gate_hurry(void);
/* Whether `_free` functions may be called: not in a forked child. */
bool gate_is_usable(void);

int gate_add_to(PyObject *module);
/* millstream_shutdown(milliseconds): stops the jobs, then closes the gate. */
PyObject *gate_shutdown(PyObject *module, PyObject *arguments);

#endif
