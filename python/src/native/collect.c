/* The rows of a collecting sink as Python values. */
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "errors.h"
#include "gate.h"
#include "job.h"
#include "objects.h"
#include "read.h"

typedef struct CollectObject {
    PyObject_HEAD
    JobObject *job;
    int node;
    bool has_kinds;
    bool has_timestamps;
    bool is_ended;
    Schema *schema;
    RowReader reader;
    /* Rows at hand. */
    struct ArrowArray rows;
    struct ArrowSchema rows_schema;
    int64_t next;
} CollectObject;

PyObject *job_collect(JobObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"node", "schema", "row_kinds", "timestamps", NULL};
    int node, row_kinds = 0, timestamps = 0;
    PyObject *text;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "iU|$pp:collect", names, &node, &text, &row_kinds, &timestamps) || !job_check(self)) return NULL;
    Schema *schema = schema_from_object(text);
    if (schema == NULL) return NULL;
    CollectObject *collect = PyObject_GC_New(CollectObject, &CollectIterator_Type);
    if (collect == NULL) return schema_release(schema), NULL;
    memset((char *)collect + sizeof(PyObject), 0, sizeof *collect - sizeof(PyObject));
    collect->job = (JobObject *)Py_NewRef(self);
    collect->node = node;
    collect->has_kinds = row_kinds;
    collect->has_timestamps = timestamps;
    collect->schema = schema;
    PyObject_GC_Track(collect);
    if (row_reader_make(&collect->reader, schema) == 0) return (PyObject *)collect;
    Py_DECREF(collect);
    return NULL;
}

static void drop_rows(CollectObject *self)
{
    if (self->rows.release != NULL) self->rows.release(&self->rows);
    if (self->rows_schema.release != NULL) self->rows_schema.release(&self->rows_schema);
    self->next = 0;
    objects_drain();
}

/* 1 rows, 0 none in time, -1 error, 2 end. */
static int fetch(CollectObject *self, int64_t milliseconds)
{
    drop_rows(self);
    if (self->is_ended) return 2;
    if (milliseconds != 0 && !gate_check_may_wait("wait for a job's results")) return -1;
    for (;;) {
        int64_t step = milliseconds < 0 || milliseconds > WAIT_STEP_MILLISECONDS ? WAIT_STEP_MILLISECONDS : milliseconds;
        int32_t state = 0;
        millstream_error *error = NULL;
        millstream_status status;
        if (!job_check(self->job)) return -1;
        if (self->job->is_settled) return self->is_ended = true, job_raise_failure(self->job), -1;
        Py_BEGIN_ALLOW_THREADS
        status = millstream_job_collect(
            self->job->handle, self->node, step, self->has_kinds, self->has_timestamps, &self->rows, &self->rows_schema, &state, &error);
        Py_END_ALLOW_THREADS
        objects_drain();
        if (status != MILLSTREAM_OK) return error_raise_engine(status, error), -1;
        if (state == 1) return row_reader_bind(&self->reader, &self->rows, &self->rows_schema) < 0 ? -1 : 1;
        if (state < 0) {
            self->is_ended = true;
            return job_raise_failure(self->job) != 0 ? -1 : 2;
        }
        if (PyErr_CheckSignals() < 0) {
            job_interrupted(self->job);
            return -1;
        }
        if (milliseconds >= 0) {
            milliseconds -= step;
            if (milliseconds <= 0) return 0;
        }
    }
}

/* The hidden columns stand behind the schema's. */
static const struct ArrowArray *hidden_column(const CollectObject *self, int place)
{
    int64_t index = self->schema->column_count + place;
    return index < self->rows.n_children ? self->rows.children[index] : NULL;
}

static PyObject *read_row(CollectObject *self, int64_t row)
{
    const struct ArrowArray *kinds = self->has_kinds ? hidden_column(self, 0) : NULL;
    const struct ArrowArray *times = self->has_timestamps ? hidden_column(self, self->has_kinds ? 1 : 0) : NULL;
    int64_t position = row + self->rows.offset;
    int kind = kinds == NULL ? 0 : ((const int8_t *)kinds->buffers[1])[position + kinds->offset];
    PyObject *value = row_reader_get(&self->reader, row, kind);
    if (value == NULL || (!self->has_kinds && !self->has_timestamps)) return value;
    PyObject *timestamp = NULL;
    if (self->has_timestamps) {
        int64_t number = INT64_MIN;
        if (times != NULL) number = ((const int64_t *)times->buffers[1])[position + times->offset];
        if (times != NULL && times->null_count != 0 && times->buffers[0] != NULL) {
            const uint8_t *validity = times->buffers[0];
            int64_t place = position + times->offset;
            if ((validity[place >> 3] >> (place & 7) & 1) == 0) number = INT64_MIN;
        }
        timestamp = number == INT64_MIN ? Py_NewRef(Py_None) : PyLong_FromLongLong(number);
    }
    if (!self->has_timestamps) return Py_BuildValue("(Ni)", value, kind);
    return self->has_kinds ? Py_BuildValue("(NiN)", value, kind, timestamp) : Py_BuildValue("(NN)", value, timestamp);
}

static PyObject *collect_next(CollectObject *self)
{
    if (self->rows.release == NULL || self->next >= self->rows.length) {
        int state;
        /* An empty batch says nothing. */
        do state = fetch(self, -1);
        while (state == 1 && self->rows.length == 0);
        if (state != 1) return NULL;
    }
    return read_row(self, self->next++);
}

static PyObject *collect_next_batch(CollectObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"milliseconds", NULL};
    long long milliseconds = -1;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|L:next_batch", names, &milliseconds)) return NULL;
    if (self->rows.release == NULL || self->next >= self->rows.length) {
        int state = fetch(self, milliseconds);
        if (state < 0) return NULL;
        if (state == 2) Py_RETURN_NONE;
        if (state == 0) return PyList_New(0);
    }
    PyObject *list = PyList_New((Py_ssize_t)(self->rows.length - self->next));
    for (Py_ssize_t place = 0; list != NULL && self->next < self->rows.length; place++) {
        PyObject *row = read_row(self, self->next++);
        if (row == NULL) Py_CLEAR(list);
        else PyList_SET_ITEM(list, place, row);
    }
    return list;
}

static PyObject *collect_close(CollectObject *self, PyObject *unused)
{
    (void)unused;
    drop_rows(self);
    self->is_ended = true;
    Py_RETURN_NONE;
}

static int collect_traverse(CollectObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->job);
    return 0;
}

static void collect_dealloc(CollectObject *self)
{
    PyObject_GC_UnTrack(self);
    drop_rows(self);
    row_reader_free(&self->reader);
    schema_release(self->schema);
    Py_XDECREF(self->job);
    PyObject_GC_Del(self);
}

static PyMethodDef collect_methods[] = {
    {"next_batch", (PyCFunction)(void (*)(void))collect_next_batch, METH_VARARGS | METH_KEYWORDS, "The rows at hand; None at the end."},
    {"close", (PyCFunction)collect_close, METH_NOARGS, "Drops the rows at hand; no more come."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject CollectIterator_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.CollectIterator",
    .tp_doc = "The rows of a collecting sink.",
    .tp_basicsize = sizeof(CollectObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = (traverseproc)collect_traverse,
    .tp_dealloc = (destructor)collect_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)collect_next,
    .tp_methods = collect_methods,
};
