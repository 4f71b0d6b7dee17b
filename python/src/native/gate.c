/* Callbacks that begin before the gate closes run to their end; later ones fail without touching Python. The gate closes at interpreter exit, after the
 * engine has stopped, and in the child of a fork. */
#include "gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "errors.h"
#include "objects.h"

static atomic_bool is_closed;
static atomic_bool is_forked;
static atomic_bool is_started;
static atomic_bool is_hurried;
static atomic_int inside;
static PyObject *forked_error;
/* How many callbacks of the engine this thread is in: more than one where a callback's Python calls the engine and that calls back. */
static _Thread_local int depth;

/* Runs a function when the calling thread ends, before the values of pthread keys go: Python finds its thread state by such a key. */
extern int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *library);
extern void *__dso_handle;

/* A thread of the engine ends: its thread state goes with it, and what is in its threading.local. Without this every such thread would leave one behind. */
static void drop_state(void *unused)
{
    (void)unused;
    atomic_fetch_add(&inside, 1);
    if (!atomic_load(&is_closed)) {
        PyGILState_STATE state = PyGILState_Ensure();
        /* Once for this call, and once for the one in gate_enter, which had found the lock free. */
        PyGILState_Release(state == PyGILState_UNLOCKED ? PyGILState_LOCKED : state);
        PyGILState_Release(PyGILState_UNLOCKED);
    }
    atomic_fetch_sub(&inside, 1);
}

bool gate_enter(PyGILState_STATE *state)
{
    atomic_fetch_add(&inside, 1);
    if (atomic_load(&is_closed)) {
        atomic_fetch_sub(&inside, 1);
        return false;
    }
    /* A thread of the engine keeps its thread state: making and dropping one costs more than a short call, and threading.local lives in it. */
    if (PyGILState_GetThisThreadState() == NULL) {
        PyGILState_Ensure();
        PyEval_SaveThread();
        __cxa_thread_atexit_impl(drop_state, NULL, &__dso_handle);
    }
    *state = PyGILState_Ensure();
    depth++;
    return true;
}

void gate_leave(PyGILState_STATE state)
{
    depth--;
    PyGILState_Release(state);
    atomic_fetch_sub(&inside, 1);
}

bool gate_check(void)
{
    if (atomic_load(&is_forked)) {
        PyErr_SetString(forked_error, "this process was forked after Millstream had started, and its engine stayed with the parent; start processes with "
                                      "the 'spawn' or 'forkserver' method, or fork before the first environment is made");
        return false;
    }
    if (atomic_load(&is_closed)) {
        error_raise(MILLSTREAM_INVALID_STATE, NULL, "Millstream has been shut down");
        return false;
    }
    atomic_store(&is_started, true);
    return true;
}

bool gate_check_may_wait(const char *what)
{
    if (depth == 0) return true;
    error_raise(MILLSTREAM_INVALID_STATE, NULL, "a function that runs in a job cannot %s: it holds one of the engine's threads, which the other job "
                                                "may need; run the other job first and give the function its results", what);
    return false;
}

void gate_hurry(void) { atomic_store(&is_hurried, true); }

bool gate_is_hurried(void) { return atomic_load(&is_hurried); }

bool gate_is_usable(void) { return !atomic_load(&is_forked); }

static void after_fork_in_child(void)
{
    if (!atomic_load(&is_started)) return;
    atomic_store(&is_forked, true);
    atomic_store(&is_closed, true);
}

static void wait_for_callbacks(int milliseconds)
{
    struct timespec step = {0, 1000000};
    for (int waited = 0; waited < milliseconds && atomic_load(&inside) > 0; waited++) nanosleep(&step, NULL);
}

millstream_status gate_stop_jobs(int64_t milliseconds, millstream_error **error)
{
    millstream_status status = MILLSTREAM_OK;
    if (atomic_load(&is_closed) || !atomic_load(&is_started)) return status;
    Py_BEGIN_ALLOW_THREADS
    status = millstream_shutdown(milliseconds, error);
    Py_END_ALLOW_THREADS
    return status;
}

void gate_close(bool are_jobs_stopped)
{
    if (atomic_load(&is_closed)) return;
    Py_BEGIN_ALLOW_THREADS
    atomic_store(&is_closed, true);
    wait_for_callbacks(are_jobs_stopped ? 1000 : 10);
    Py_END_ALLOW_THREADS
    objects_drain();
}

int gate_add_to(PyObject *module)
{
    PyObject *base = PyObject_GetAttrString(module, "MillstreamError");
    forked_error = base == NULL ? NULL : PyErr_NewException("millstream.exceptions.EngineForkedError", base, NULL);
    Py_XDECREF(base);
    if (forked_error == NULL || PyModule_AddObject(module, "EngineForkedError", Py_NewRef(forked_error)) < 0) return -1;
    if (pthread_atfork(NULL, NULL, after_fork_in_child) != 0) {
        PyErr_SetString(PyExc_ImportError, "pthread_atfork failed");
        return -1;
    }
    return 0;
}
