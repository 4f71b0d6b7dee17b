/* The door between the engine's threads and the interpreter: the GIL, interpreter exit, and fork. */
#ifndef MILLSTREAM_NATIVE_GATE_H
#define MILLSTREAM_NATIVE_GATE_H

#include <Python.h>
#include <stdbool.h>

#include "millstream.h"

/* From an engine thread: takes the GIL. False when the interpreter is on its way out; then no Python function may be called. */
bool gate_enter(PyGILState_STATE *state);
void gate_leave(PyGILState_STATE state);

/* From Python: false, with EngineForkedError or InvalidStateError raised, where the engine cannot be used. Remembers that the engine has started. */
bool gate_check(void);
/* From Python: false, with InvalidStateError raised, inside a function of a job, where waiting for the engine may wait for ever. */
bool gate_check_may_wait(const char *what);
/* The user does not want to wait any longer: interpreter exit gives functions that run little time to return. */
void gate_hurry(void);
bool gate_is_hurried(void);
/* Whether `_free` functions may be called: not in a forked child. */
bool gate_is_usable(void);

/* millstream_shutdown, without the GIL; may be called again when it was not in time. OK where there is nothing to stop. */
millstream_status gate_stop_jobs(int64_t milliseconds, millstream_error **error);
/* After it no callback touches Python any more; those that run get a moment to end, a short one where jobs did not stop. */
void gate_close(bool are_jobs_stopped);

int gate_add_to(PyObject *module);

#endif
