/* Jobs: waiting with signals heard, failures as the user's own exceptions. */
#include "job.h"

#include <string.h>

#include "arrow.h"
#include "environment.h"
#include "errors.h"
#include "gate.h"
#include "objects.h"
#include "shutdown.h"

static const char *const status_names[] = {"CREATED", "RUNNING", "FAILING", "FAILED", "CANCELLING", "CANCELED", "FINISHED", "RESTARTING"};

static void orphans_reap(void);

PyObject *job_wrap(millstream_job *handle, PyObject *text_output, PyObject *places)
{
    orphans_reap();
    JobObject *job = PyObject_GC_New(JobObject, &Job_Type);
    if (job == NULL) {
        millstream_job_free(handle);
        return NULL;
    }
    job->handle = handle;
    job->text_output = Py_XNewRef(text_output);
    job->places = Py_XNewRef(places);
    job->failure = job->failure_traceback = job->metrics = job->times[0] = job->times[1] = job->history[0] = job->history[1] = NULL;
    job->is_settled = job->is_abandoned = false;
    PyObject_GC_Track(job);
    return (PyObject *)job;
}

bool job_check(JobObject *job)
{
    if (!gate_check()) return false;
    if (job->handle != NULL || job->is_settled) return true;
    error_raise(MILLSTREAM_INVALID_HANDLE, NULL, "the job was closed");
    return false;
}

static PyObject *status_name(millstream_job_status status)
{
    bool is_known = (int)status >= 0 && (size_t)status < sizeof status_names / sizeof *status_names;
    return PyUnicode_FromString(is_known ? status_names[status] : "UNKNOWN");
}

static PyObject *job_status(JobObject *self, PyObject *unused)
{
    (void)unused;
    if (!job_check(self)) return NULL;
    if (self->is_settled) return status_name(MILLSTREAM_JOB_FAILED);
    millstream_job_status status;
    millstream_error *error = NULL;
    millstream_status result = millstream_job_get_status(self->handle, &status, &error);
    objects_drain();
    return result == MILLSTREAM_OK ? status_name(status) : error_raise_engine(result, error);
}

static bool is_ended(millstream_job_status status)
{
    return status == MILLSTREAM_JOB_FAILED || status == MILLSTREAM_JOB_CANCELED || status == MILLSTREAM_JOB_FINISHED;
}

/* One step of a wait without the GIL. */
static millstream_status wait_step(JobObject *job, int64_t milliseconds, millstream_job_status *status, millstream_error **error)
{
    millstream_status result;
    Py_BEGIN_ALLOW_THREADS
    result = millstream_job_wait(job->handle, milliseconds, status, error);
    Py_END_ALLOW_THREADS
    objects_drain();
    return result;
}

void job_interrupted(JobObject *job)
{
    if (job->is_settled) return;
    PyObject *raised = error_take();
    millstream_error *error = NULL;
    millstream_job_status status;
    if (millstream_job_cancel(job->handle, &error) != MILLSTREAM_OK) millstream_error_free(error);
    for (int waited = 0;; waited += WAIT_STEP_MILLISECONDS) {
        if (waited == SILENT_WAIT_MILLISECONDS) shutdown_say_waiting("the job has not stopped yet", "Ctrl-C again ends the wait");
        error = NULL;
        millstream_status result = wait_step(job, WAIT_STEP_MILLISECONDS, &status, &error);
        if (result != MILLSTREAM_OK) millstream_error_free(error);
        if (result != MILLSTREAM_OK || is_ended(status)) break;
        /* A second interrupt: the job stops by itself, nobody waits for it. */
        if (PyErr_CheckSignals() < 0) {
            PyErr_Clear();
            job->is_abandoned = true;
            gate_hurry();
            break;
        }
    }
    error_restore(raised);
}

/* 0 with the status, or -1. */
static int wait_for(JobObject *job, int64_t milliseconds, millstream_job_status *status)
{
    *status = MILLSTREAM_JOB_FAILED;
    if (job->is_settled) return 0;
    if (milliseconds != 0 && !gate_check_may_wait("wait for a job")) return -1;
    for (;;) {
        int64_t step = milliseconds < 0 || milliseconds > WAIT_STEP_MILLISECONDS ? WAIT_STEP_MILLISECONDS : milliseconds;
        millstream_error *error = NULL;
        millstream_status result = wait_step(job, step, status, &error);
        if (result != MILLSTREAM_OK) return error_raise_engine(result, error), -1;
        if (is_ended(*status)) return 0;
        if (PyErr_CheckSignals() < 0) {
            job_interrupted(job);
            return -1;
        }
        if (milliseconds >= 0) {
            milliseconds -= step;
            if (milliseconds <= 0) return 0;
        }
    }
}

static PyObject *job_wait(JobObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"milliseconds", NULL};
    long long milliseconds = -1;
    millstream_job_status status;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|L:wait", names, &milliseconds) || !job_check(self)) return NULL;
    return wait_for(self, milliseconds, &status) < 0 ? NULL : status_name(status);
}

static void free_handle(JobObject *self)
{
    millstream_job *handle = self->handle;
    self->handle = NULL;
    /* An abandoned job is left to the engine: freeing it would wait for the function that does not return. */
    if (handle == NULL || !gate_is_usable() || (self->is_abandoned && !self->is_settled)) return;
    Py_BEGIN_ALLOW_THREADS
    millstream_job_free(handle);
    Py_END_ALLOW_THREADS
    objects_drain();
}

static PyObject *read_metrics(JobObject *job)
{
    char *json = NULL;
    millstream_error *error = NULL;
    millstream_status result = millstream_job_metrics_json(job->handle, &json, &error);
    return result == MILLSTREAM_OK ? take_text(json) : error_raise_engine(result, error);
}

static PyObject *read_times(JobObject *job, int format)
{
    char *text = NULL;
    millstream_error *error = NULL;
    millstream_status result = millstream_job_explain_time(job->handle, (millstream_text_format)format, &text, &error);
    return result == MILLSTREAM_OK ? take_text(text) : error_raise_engine(result, error);
}

/* The job's checkpoints (0) or failures (1). */
static PyObject *read_history(JobObject *job, int kind)
{
    char *json = NULL;
    millstream_error *error = NULL;
    millstream_status result =
        kind == 0 ? millstream_job_checkpoints_json(job->handle, &json, &error) : millstream_job_failures_json(job->handle, &json, &error);
    return result == MILLSTREAM_OK ? take_text(json) : error_raise_engine(result, error);
}

/* 1 if there is a failure, which is kept; 0 if not; -1. What an attempt failed with that may be followed by another is not the job's. */
static int fetch_failure(JobObject *job)
{
    if (job->failure != NULL) return 1;
    millstream_error *failure = NULL, *error = NULL;
    millstream_job_status status;
    millstream_status result = millstream_job_get_status(job->handle, &status, &error);
    if (result != MILLSTREAM_OK) return error_raise_engine(result, error), -1;
    if (status == MILLSTREAM_JOB_RESTARTING || status == MILLSTREAM_JOB_FAILING) return 0;
    result = millstream_job_failure(job->handle, &failure, &error);
    if (result != MILLSTREAM_OK) return error_raise_engine(result, error), -1;
    if (failure == NULL) return 0;
    job->failure = error_to_exception(MILLSTREAM_INTERNAL, failure, job->places);
    if (job->failure == NULL) return -1;
    job->failure_traceback = error_traceback(job->failure);
    return 1;
}

static void settle(JobObject *job)
{
    if (job->is_settled) return;
    job->metrics = read_metrics(job);
    for (int format = 0; format < 2; format++) job->times[format] = read_times(job, format);
    for (int kind = 0; kind < 2; kind++) job->history[kind] = read_history(job, kind);
    /* Figures that cannot be kept must not hide the failure. */
    PyErr_Clear();
    job->is_settled = true;
    free_handle(job);
}

int job_raise_failure(JobObject *job)
{
    millstream_job_status status;
    if (wait_for(job, -1, &status) < 0) return -1;
    if (status != MILLSTREAM_JOB_FAILED) return 0;
    int found = fetch_failure(job);
    if (found != 1) return found;
    settle(job);
    PyException_SetTraceback(job->failure, job->failure_traceback == NULL ? Py_None : job->failure_traceback);
    error_restore(Py_NewRef(job->failure));
    return 1;
}

static PyObject *job_failure(JobObject *self, PyObject *unused)
{
    (void)unused;
    if (!job_check(self)) return NULL;
    int found = fetch_failure(self);
    millstream_job_status status = MILLSTREAM_JOB_RUNNING;
    /* Whoever asks may raise it. */
    if (found == 1 && wait_for(self, 0, &status) < 0) return NULL;
    if (found == 1 && status == MILLSTREAM_JOB_FAILED) settle(self);
    if (found == 1) PyException_SetTraceback(self->failure, self->failure_traceback == NULL ? Py_None : self->failure_traceback);
    if (found == 1) return Py_NewRef(self->failure);
    if (found < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *job_result(JobObject *self, PyObject *unused)
{
    (void)unused;
    millstream_job_status status;
    if (!job_check(self) || wait_for(self, -1, &status) < 0) return NULL;
    if (status == MILLSTREAM_JOB_FAILED && job_raise_failure(self) != 0) return NULL;
    if (status == MILLSTREAM_JOB_FAILED) error_raise(MILLSTREAM_INTERNAL, NULL, "the job failed without saying why");
    if (status == MILLSTREAM_JOB_CANCELED) error_raise(MILLSTREAM_CANCELLED, NULL, "the job was canceled");
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PyObject *job_cancel(JobObject *self, PyObject *unused)
{
    (void)unused;
    if (!job_check(self)) return NULL;
    if (self->is_settled) Py_RETURN_NONE;
    millstream_error *error = NULL;
    millstream_status result;
    Py_BEGIN_ALLOW_THREADS
    result = millstream_job_cancel(self->handle, &error);
    Py_END_ALLOW_THREADS
    if (result != MILLSTREAM_OK) return error_raise_engine(result, error);
    Py_RETURN_NONE;
}

static PyObject *job_metrics_json(JobObject *self, PyObject *unused)
{
    (void)unused;
    if (!job_check(self)) return NULL;
    if (self->is_settled) return self->metrics == NULL ? PyUnicode_FromString("{}") : Py_NewRef(self->metrics);
    return read_metrics(self);
}

static PyObject *history(JobObject *self, int kind)
{
    if (!job_check(self)) return NULL;
    if (!self->is_settled) return read_history(self, kind);
    return self->history[kind] == NULL ? PyUnicode_FromString("[]") : Py_NewRef(self->history[kind]);
}

static PyObject *job_checkpoints_json(JobObject *self, PyObject *unused)
{
    (void)unused;
    return history(self, 0);
}

static PyObject *job_failures_json(JobObject *self, PyObject *unused)
{
    (void)unused;
    return history(self, 1);
}

static PyObject *job_savepoint(JobObject *self, PyObject *arguments)
{
    const char *directory, *mode;
    if (!PyArg_ParseTuple(arguments, "zs:savepoint", &directory, &mode) || !job_check(self)) return NULL;
    static const char *const modes[] = {"CONTINUE", "STOP", "DRAIN"};
    int found = 0;
    while (found < 3 && strcmp(mode, modes[found]) != 0) found++;
    if (found == 3) return PyErr_Format(PyExc_ValueError, "a savepoint's mode is CONTINUE, STOP or DRAIN, not '%.20s'", mode);
    if (!gate_check_may_wait("take a savepoint")) return NULL;
    if (self->is_settled) return error_raise(MILLSTREAM_INVALID_STATE, NULL, "the job has ended, so there is no state to save"), NULL;
    char *path = NULL;
    millstream_error *error = NULL;
    millstream_status result;
    Py_BEGIN_ALLOW_THREADS
    result = millstream_job_savepoint(self->handle, directory, (millstream_savepoint_mode)found, &path, &error);
    Py_END_ALLOW_THREADS
    objects_drain();
    return result == MILLSTREAM_OK ? take_text(path) : error_raise_engine(result, error);
}

static PyObject *job_explain_time(JobObject *self, PyObject *arguments)
{
    int is_json = 0;
    if (!PyArg_ParseTuple(arguments, "|p:explain_time", &is_json) || !job_check(self)) return NULL;
    if (!self->is_settled) return read_times(self, is_json);
    return self->times[is_json] == NULL ? PyUnicode_FromString(is_json ? "{}" : "") : Py_NewRef(self->times[is_json]);
}

static PyObject *job_close(JobObject *self, PyObject *unused)
{
    (void)unused;
    free_handle(self);
    self->is_settled = false;
    Py_RETURN_NONE;
}

/* ---- Arrow streams ---- */

typedef struct ArrowStreamObject {
    PyObject_HEAD
    struct ArrowArrayStream stream;
    PyObject *job;
} ArrowStreamObject;

static PyObject *job_collect_stream(JobObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"node", "compatible", NULL};
    int node, compatible = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "i|p:collect_stream", names, &node, &compatible) || !job_check(self)) return NULL;
    if (self->is_settled) return job_raise_failure(self), NULL;
    ArrowStreamObject *stream = PyObject_New(ArrowStreamObject, &ArrowStream_Type);
    if (stream == NULL) return NULL;
    stream->stream.release = NULL;
    stream->job = Py_NewRef(self);
    millstream_error *error = NULL;
    millstream_status result = millstream_job_collect_stream(self->handle, node, compatible, &stream->stream, &error);
    if (result == MILLSTREAM_OK) return (PyObject *)stream;
    stream->stream.release = NULL;
    Py_DECREF(stream);
    return error_raise_engine(result, error);
}

static PyObject *stream_capsule(ArrowStreamObject *self, PyObject *arguments, PyObject *keywords)
{
    (void)arguments, (void)keywords;
    if (self->stream.release == NULL) return PyErr_Format(PyExc_ValueError, "the stream can be read once");
    struct ArrowArrayStream moved = self->stream;
    self->stream.release = NULL;
    return arrow_stream_capsule(&moved);
}

static void stream_dealloc(ArrowStreamObject *self)
{
    if (self->stream.release != NULL && gate_is_usable()) self->stream.release(&self->stream);
    Py_XDECREF(self->job);
    PyObject_Free(self);
}

static PyMethodDef stream_methods[] = {
    {"__arrow_c_stream__", (PyCFunction)(void (*)(void))stream_capsule, METH_VARARGS | METH_KEYWORDS, "A PyCapsule, once."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject ArrowStream_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.ArrowStream",
    .tp_doc = "Rows of a collecting sink through Arrow's PyCapsule interface.",
    .tp_basicsize = sizeof(ArrowStreamObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)stream_dealloc,
    .tp_methods = stream_methods,
};

/* ---- Orphans: jobs that nobody refers to any more go on to their end, with what their printing calls ---- */

typedef struct Orphan {
    millstream_job *handle;
    PyObject *text_output;
    struct Orphan *next;
} Orphan;

static Orphan *orphans;
static bool is_handle_running(millstream_job *handle);

/* Without memory the engine's job is forgotten, and freed by shutdown. */
static void orphan_add(JobObject *job)
{
    Orphan *orphan = PyMem_RawMalloc(sizeof *orphan);
    if (orphan == NULL) return;
    *orphan = (Orphan){.handle = job->handle, .text_output = job->text_output, .next = orphans};
    orphans = orphan;
    job->handle = NULL;
    job->text_output = NULL;
}

/* Lets those go that have ended. They leave the list first: what is released may come here again. */
static void orphans_reap(void)
{
    Orphan *ended = NULL;
    for (Orphan **place = &orphans; *place != NULL;) {
        Orphan *orphan = *place;
        if (is_handle_running(orphan->handle)) {
            place = &orphan->next;
            continue;
        }
        *place = orphan->next;
        orphan->next = ended;
        ended = orphan;
    }
    while (ended != NULL) {
        Orphan *orphan = ended;
        ended = orphan->next;
        if (gate_is_usable()) millstream_job_free(orphan->handle);
        Py_XDECREF(orphan->text_output);
        PyMem_RawFree(orphan);
    }
    objects_drain();
}

/* ---- The type ---- */

static int job_traverse(JobObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->text_output);
    Py_VISIT(self->places);
    Py_VISIT(self->failure);
    Py_VISIT(self->failure_traceback);
    return 0;
}

static int job_clear(JobObject *self)
{
    Py_CLEAR(self->text_output);
    Py_CLEAR(self->places);
    Py_CLEAR(self->failure);
    Py_CLEAR(self->failure_traceback);
    Py_CLEAR(self->metrics);
    Py_CLEAR(self->times[0]);
    Py_CLEAR(self->times[1]);
    Py_CLEAR(self->history[0]);
    Py_CLEAR(self->history[1]);
    return 0;
}

static bool is_handle_running(millstream_job *handle)
{
    millstream_job_status status;
    millstream_error *error = NULL;
    if (handle == NULL || !gate_is_usable()) return false;
    if (millstream_job_get_status(handle, &status, &error) == MILLSTREAM_OK) return !is_ended(status);
    millstream_error_free(error);
    return false;
}

static void job_dealloc(JobObject *self)
{
    PyObject_GC_UnTrack(self);
    if (is_handle_running(self->handle)) orphan_add(self);
    else free_handle(self);
    job_clear(self);
    PyObject_GC_Del(self);
}

extern PyObject *job_state(PyObject *job, PyObject *arguments);
extern PyObject *job_collect(JobObject *self, PyObject *arguments, PyObject *keywords);

static PyMethodDef job_methods[] = {
    {"status", (PyCFunction)job_status, METH_NOARGS, "What the job is doing."},
    {"wait", (PyCFunction)(void (*)(void))job_wait, METH_VARARGS | METH_KEYWORDS, "Waits for the end; does not raise the failure."},
    {"result", (PyCFunction)job_result, METH_NOARGS, "Waits for the end and raises the failure."},
    {"cancel", (PyCFunction)job_cancel, METH_NOARGS, "Asks the job to stop."},
    {"failure", (PyCFunction)job_failure, METH_NOARGS, "The failure, or None."},
    {"metrics_json", (PyCFunction)job_metrics_json, METH_NOARGS, "The counters of each operator and subtask."},
    {"collect", (PyCFunction)(void (*)(void))job_collect, METH_VARARGS | METH_KEYWORDS, "The rows of a collecting sink."},
    {"collect_stream", (PyCFunction)(void (*)(void))job_collect_stream, METH_VARARGS | METH_KEYWORDS, "A collecting sink as an Arrow stream."},
    {"explain_time", (PyCFunction)job_explain_time, METH_VARARGS, "Why event time stands where it stands: lines, or JSON."},
    {"state", job_state, METH_VARARGS, "The rows of one part of an operator's state, and its columns."},
    {"savepoint", (PyCFunction)job_savepoint, METH_VARARGS, "Saves the job's state and gives the path."},
    {"checkpoints_json", (PyCFunction)job_checkpoints_json, METH_NOARGS, "The last checkpoints and savepoints."},
    {"failures_json", (PyCFunction)job_failures_json, METH_NOARGS, "What the attempts failed with."},
    {"close", (PyCFunction)job_close, METH_NOARGS, "Cancels the job if it runs, waits for it, and forgets it."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject Job_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Job",
    .tp_doc = "A job. It goes on when the object is collected, until it ends or the interpreter exits.",
    .tp_basicsize = sizeof(JobObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = (traverseproc)job_traverse,
    .tp_clear = (inquiry)job_clear,
    .tp_dealloc = (destructor)job_dealloc,
    .tp_methods = job_methods,
};
