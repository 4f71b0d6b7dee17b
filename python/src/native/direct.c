/* Chains of maps and filters, also with a key selector at the end, run from C: a value at a time through all stages, with no bytecode between them.
 * Measured on CPython 3.11 over map, filter, map, key: 106 ns a row against 155 ns for a generated loop, whose checks of declared types cost the most. */
#include "host.h"

#include <stdlib.h>

#include "values.h"

/* A value of the declared type, at little cost; false: ask the stage's check, which knows the conversions and the errors. */
static bool is_exact(const Type *type, PyObject *value)
{
    int64_t number;
    int overflow = 0;
    switch (type->kind) {
    case TYPE_OBJECT: return true;
    case TYPE_BIGINT:
    case TYPE_INT:
        if (!PyLong_CheckExact(value)) return false;
        if (!integer_of_plain(value, &number)) number = PyLong_AsLongLongAndOverflow(value, &overflow);
        return overflow == 0 && (type->kind == TYPE_BIGINT || (number >= INT32_MIN && number <= INT32_MAX));
    case TYPE_DOUBLE: return PyFloat_CheckExact(value);
    case TYPE_BOOLEAN: return PyBool_Check(value);
    case TYPE_TEXT: return type->length == 0 && PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value);
    case TYPE_BYTES: return type->length == 0 && PyBytes_CheckExact(value);
    case TYPE_TUPLE:
        if (!PyTuple_CheckExact(value) || PyTuple_GET_SIZE(value) != type->child_count) return false;
        for (int index = 0; index < type->child_count; index++) {
            PyObject *field = PyTuple_GET_ITEM(value, index);
            if (type->children[index]->kind == TYPE_BIGINT && integer_of_plain(field, &number)) continue;
            if (!is_exact(type->children[index], field)) return false;
        }
        return true;
    default: return false;
    }
}

static inline PyObject *call_one(const DirectStage *stage, PyObject *value)
{
    /* The place before the argument is the callee's, for a bound method's self. */
    PyObject *arguments[2] = {NULL, value};
    if (stage->call != NULL) return stage->call(stage->callable, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    return PyObject_Vectorcall(stage->callable, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* 1 or 0, or -1 with an exception. Takes the result over. */
static inline int truth(PyObject *result)
{
    int found = result == Py_True ? 1 : result == Py_False || result == Py_None ? 0 : result == NULL ? -1 : PyObject_IsTrue(result);
    Py_XDECREF(result);
    return found;
}

/* Remembers the value that a stage failed with, for the message. */
static int fail(Host *host, int64_t row, int stage, PyObject *value)
{
    Py_XSETREF(host->failed_value, value);
    return host_fail_at(host, row, stage);
}

static int take_key(Host *host, const DirectStage *stage, PyObject *value)
{
    PyObject *key = call_one(stage, value);
    if (key == NULL) return -1;
    /* A key selector alone gives keys; the engine has its rows. */
    int status = PyList_Append(host->output == NULL ? host->out : host->key_list, key);
    Py_DECREF(key);
    return status;
}

/* The value in the type that its stage declares; takes it over, unless it fails and gives NULL. */
static inline PyObject *checked(const DirectStage *stage, PyObject *value)
{
    /* The commonest type without a call. */
    int64_t number;
    if (stage->check == NULL || (stage->schema->type->kind == TYPE_BIGINT && integer_of_plain(value, &number))) return value;
    return direct_check(stage, value);
}

PyObject *direct_check(const DirectStage *stage, PyObject *value)
{
    if (stage->check == NULL || is_exact(stage->schema->type, value)) return value;
    PyObject *converted = PyObject_CallOneArg(stage->check, value);
    if (converted != NULL) Py_DECREF(value);
    return converted;
}

int direct_value(Host *host, int64_t row, int first_stage, PyObject *value)
{
    for (int index = first_stage; index < host->stage_count; index++) {
        const DirectStage *stage = &host->direct[index];
        if (stage->kind == STAGE_MAP) {
            PyObject *result = call_one(stage, value);
            if (result == NULL) return fail(host, row, index, value);
            Py_DECREF(value);
            value = checked(stage, result);
            if (value == NULL) return fail(host, row, index, result);
        } else if (stage->kind == STAGE_FILTER) {
            int passes = truth(call_one(stage, value));
            if (passes < 0) return fail(host, row, index, value);
            if (passes == 1) continue;
            Py_DECREF(value);
            return 0;
        } else {
            if (take_key(host, stage, value) < 0) return fail(host, row, index, value);
            if (host->output != NULL) break;
            Py_DECREF(value);
            return 0;
        }
    }
    int status = host_add_output(host, row, value);
    Py_DECREF(value);
    return status;
}

bool direct_fits(const Host *host, int first_stage)
{
    for (int index = first_stage; index < host->stage_count; index++) {
        StageKind kind = host->stages[index].kind;
        if (kind != STAGE_MAP && kind != STAGE_FILTER && kind != STAGE_KEY) return false;
    }
    return true;
}

int direct_prepare(Host *host)
{
    host->direct = PyMem_RawCalloc((size_t)host->stage_count, sizeof(DirectStage));
    if (host->direct == NULL) return PyErr_NoMemory(), -1;
    host->is_building = host->output != NULL && !host->output->is_scalar && host->output->column_count > 0;
    for (int index = 0; index < host->stage_count; index++) {
        const Stage *stage = &host->stages[index];
        DirectStage *direct = &host->direct[index];
        *direct = (DirectStage){.kind = stage->kind, .callable = stage->callables, .schema = stage->schema};
        /* What the last map gives is checked where it goes into a column, unless a key selector looks at it before. */
        bool is_between = index + 1 < host->stage_count;
        bool makes_values = stage->kind == STAGE_MAP || stage->kind == STAGE_OTHER;
        if (!makes_values || !is_between || stage->schema->type->kind == TYPE_OBJECT) continue;
        direct->check = stage_check_new(stage->schema);
        if (direct->check == NULL) return -1;
    }
    return 0;
}

void direct_free(Host *host)
{
    for (int index = 0; host->direct != NULL && index < host->stage_count; index++) Py_XDECREF(host->direct[index].check);
    PyMem_RawFree(host->direct);
    host->direct = NULL;
}

void direct_begin(Host *host)
{
    for (int index = 0; index < host->stage_count; index++) {
        DirectStage *stage = &host->direct[index];
        stage->call = PyTuple_Check(stage->callable) ? NULL : PyVectorcall_Function(stage->callable);
    }
}

int direct_run(Host *host)
{
    Rows *rows = host->rows;
    direct_begin(host);
    for (int64_t row = rows->next; row < rows->count; row++) {
        /* A key selector alone gives the keys of all rows at once. */
        if (host->output != NULL && rows_is_slow(rows, row)) {
            rows->is_between = true;
            return 1;
        }
        if (host->output == NULL && rows_are_unwanted(rows, rows->request, row)) return -1;
        rows->starts[row - rows->first] = (int32_t)host_output_count(host);
        rows->next = row + 1;
        PyObject *value = rows->step(rows, row);
        if (value == NULL) return host_fail_at(host, row, 0);
        if (direct_value(host, row, 0, value) < 0) return -1;
    }
    rows->is_finished = true;
    return 0;
}
