/* TRANSFORM: map, flat_map, filter and key selector, any chain of them in one crossing: run from C (direct.c), or with a flat_map by a generated loop.
 * Values between stages stay Python objects; a declared type between two stages is still checked. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "errors.h"
#include "host.h"
#include "kinds.h"


/* ---- The check of a declared type between two stages: passes values of the exact type at once, others by a conversion there and back ---- */

typedef struct Check {
    PyObject_HEAD
    Schema *schema;
    RowBuilder builder;
    RowReader reader;
} Check;

static void check_dealloc(Check *check)
{
    if (check->builder.columns != NULL) row_builder_free(&check->builder);
    row_reader_free(&check->reader);
    schema_release(check->schema);
    PyObject_Free(check);
}

PyObject *value_through(const Schema *schema, PyObject *value)
{
    RowBuilder builder = {0};
    RowReader reader = {0};
    PyObject *result = NULL;
    if (row_builder_make(&builder, schema, NULL) == 0 && row_builder_append(&builder, &value, 1) == 1 && row_reader_make(&reader, schema) == 0) {
        struct ArrowArray array;
        if (row_builder_finish(&builder, 1, &array) == 0) {
            result = arrow_bind_built(&reader, &array) == 0 ? row_reader_get(&reader, 0, 0) : NULL;
            arrow_release_built(schema, &array);
        }
    }
    row_builder_free(&builder);
    row_reader_free(&reader);
    return result;
}

static PyObject *check_call(Check *check, PyObject *arguments, PyObject *keywords)
{
    (void)keywords;
    if (PyTuple_GET_SIZE(arguments) != 1) return PyErr_Format(PyExc_TypeError, "one value was expected");
    PyObject *value = PyTuple_GET_ITEM(arguments, 0);
    if (row_builder_append(&check->builder, &value, 1) != 1) {
        row_builder_reset(&check->builder);
        return NULL;
    }
    row_builder_reset(&check->builder);
    TypeKind kind = check->schema->type->kind;
    /* An int where a float is declared goes on as a float, and True where an int is as 1, as they would have through a column. */
    if ((kind == TYPE_DOUBLE || kind == TYPE_FLOAT) && value != Py_None) return PyNumber_Float(value);
    bool is_integer = kind == TYPE_TINYINT || kind == TYPE_SMALLINT || kind == TYPE_INT || kind == TYPE_BIGINT;
    if (is_integer && value != Py_None && !PyLong_CheckExact(value)) return value_through(check->schema, value);
    if (kind == TYPE_TUPLE && !PyTuple_Check(value)) return value_through(check->schema, value);
    if (kind == TYPE_ROW) return value_through(check->schema, value);
    return Py_NewRef(value);
}

static PyTypeObject Check_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native._Check",
    .tp_basicsize = sizeof(Check),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)check_dealloc,
    .tp_call = (ternaryfunc)check_call,
};

PyObject *stage_check_new(Schema *schema)
{
    Check *check = PyObject_New(Check, &Check_Type);
    if (check == NULL) return NULL;
    check->schema = schema_retain(schema);
    check->builder = (RowBuilder){0};
    check->reader = (RowReader){0};
    if (row_builder_make(&check->builder, schema, NULL) == 0) return (PyObject *)check;
    Py_DECREF(check);
    return NULL;
}

/* ---- The loop ---- */

/* The condition under which a value needs the call of its check. */
static const char *check_condition(const Schema *schema)
{
    switch (schema->type->kind) {
    case TYPE_TINYINT: return "type(v%d) is not int or not -128 <= v%d <= 127";
    case TYPE_SMALLINT: return "type(v%d) is not int or not -32768 <= v%d <= 32767";
    case TYPE_INT: return "type(v%d) is not int or not -2147483648 <= v%d <= 2147483647";
    case TYPE_BIGINT: return "type(v%d) is not int or not -9223372036854775808 <= v%d <= 9223372036854775807";
    case TYPE_DOUBLE: return "type(v%d) is not float";
    case TYPE_TEXT: return schema->type->length == 0 ? "type(v%d) is not str" : NULL;
    case TYPE_BYTES: return schema->type->length == 0 ? "type(v%d) is not bytes" : NULL;
    case TYPE_BOOLEAN: return "type(v%d) is not bool";
    default: return NULL;
    }
}

static int add_check(Code *code, PyObject *parameters, const Schema *schema, int stage, int value)
{
    if (schema == NULL || schema->type->kind == TYPE_OBJECT) return 0;
    PyObject *check = stage_check_new((Schema *)schema);
    char name[16];
    snprintf(name, sizeof name, "c%d", stage);
    int status = check == NULL ? -1 : PyDict_SetItemString(parameters, name, check);
    Py_XDECREF(check);
    const char *condition = check_condition(schema);
    if (condition != NULL) {
        char text[160];
        snprintf(text, sizeof text, condition, value, value);
        code_add(code, stage, "if %s: v%d = c%d(v%d)", text, value, stage, value);
    } else {
        code_add(code, stage, "v%d = c%d(v%d)", value, stage, value);
    }
    return status;
}

static int expansion_count(const Host *host)
{
    int count = 0;
    for (int index = 0; index < host->stage_count; index++) count += host->stages[index].kind == STAGE_FLAT_MAP;
    return count;
}

/* Whether the one flat_map is the last stage: its results are taken at C's speed. Behind another one it is a loop as well, because what is left of a result
 * that was too long for one call would be in the way of the outer loop's next value. */
static bool ends_in_flat_map(const Host *host) { return host->stages[host->stage_count - 1].kind == STAGE_FLAT_MAP && expansion_count(host) == 1; }

static int add_stages(Host *host, Code *code, PyObject *parameters)
{
    /* The name v<n> is that of the value that stage n takes. */
    int value = 0;
    for (int index = 0; index < host->stage_count; index++) {
        const Stage *stage = &host->stages[index];
        bool is_last = index == host->stage_count - 1;
        char name[16];
        snprintf(name, sizeof name, "f%d", index);
        if (PyDict_SetItemString(parameters, name, stage->callables) < 0) return -1;
        switch (stage->kind) {
        case STAGE_MAP:
            code_add(code, index, "v%d = f%d(v%d)", index + 1, index, value);
            value = index + 1;
            if (!is_last && host->stages[index + 1].kind != STAGE_KEY && add_check(code, parameters, stage->schema, index, value) < 0) return -1;
            break;
        case STAGE_FILTER:
            code_add(code, index, "if f%d(v%d):", index, value);
            code->indent++;
            break;
        case STAGE_FLAT_MAP:
            if (ends_in_flat_map(host)) {
                code_add(code, index, "emit(f%d(v%d))", index, value);
                return 0;
            }
            code_add(code, index, "for v%d in expand(f%d(v%d)):", index + 1, index, value);
            value = index + 1;
            code->indent++;
            code_add(code, -1, "if v%d is pause:", value);
            code_add(code, -1, " yield");
            code_add(code, -1, " continue");
            if (!is_last && host->stages[index + 1].kind != STAGE_KEY && add_check(code, parameters, stage->schema, index, value) < 0) return -1;
            break;
        case STAGE_KEY:
            /* A key selector alone gives keys; the engine has its rows. */
            if (host->output == NULL) {
                code_add(code, index, "out.append(f%d(v%d))", index, value);
            } else {
                code_add(code, index, "keys.append(f%d(v%d))", index, value);
                code_add(code, -1, "out.append(v%d)", value);
            }
            return 0;
        default: return -1;
        }
    }
    code_add(code, -1, "out.append(v%d)", value);
    return 0;
}

static int bind_method(PyObject *parameters, Host *host, const char *name)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)host->rows, name);
    int status = method == NULL ? -1 : PyDict_SetItemString(parameters, name, method);
    Py_XDECREF(method);
    return status;
}

static int transform_prepare(Host *host)
{
    const Schema *output = host->output != NULL ? host->output : host->keys;
    if (host->stages[0].kind == STAGE_ARROW) return 0;
    if (host_make_rows(host, NULL) < 0) return -1;
    host->builder.schema = NULL;
    static const Schema no_columns = {.column_count = 0};
    if (row_builder_make(&host->builder, host->output == NULL ? &no_columns : output, host->keys) < 0) return -1;
    if (direct_fits(host, 0)) return direct_prepare(host);
    Code code = {.lines = PyList_New(0), .indent = 1};
    PyObject *parameters = PyDict_New();
    int status = parameters == NULL ? -1 : 0;
    host->rows->is_expanding = true;
    if (status == 0 && ends_in_flat_map(host)) {
        status = bind_method(parameters, host, "emit");
        host->rows->is_pausing = true;
    }
    if (status == 0 && !ends_in_flat_map(host)) {
        host->rows->is_stopping = true;
        status = bind_method(parameters, host, "expand");
        if (status == 0) status = PyDict_SetItemString(parameters, "pause", rows_pause);
    }
    if (status == 0) {
        code_add(&code, -1, "for v0 in rows:");
        code.indent++;
        status = add_stages(host, &code, parameters);
    }
    if (status == 0) status = code_compile(&code, host, parameters);
    Py_XDECREF(parameters);
    return status;
}

static int transform_call(Host *host, const millstream_request *request)
{
    if (host->stages[0].kind == STAGE_ARROW) return arrow_transform(host, request);
    if (row_reader_bind(&host->reader, request->columns, request->schema) < 0) return -1;
    if (request->resumption == 0) {
        Py_CLEAR(host->generator);
        if (PyList_GET_SIZE(host->out) + PyList_GET_SIZE(host->key_list) > 0) return PyErr_SetString(PyExc_SystemError, "results were left over"), -1;
    }
    if (rows_begin(host->rows, request, request->count) < 0) return -1;
    return host_emit_run(host, request->response, host->direct != NULL ? direct_run(host) : host_run(host));
}

/* The bound methods in the function's defaults hold the rows, and the rows hold nothing of the function: no cycle. */
static const HostKind transform_kind = {.prepare = transform_prepare, .call = transform_call, .is_fusable = true};
static const HostKind arrow_kind = {.prepare = transform_prepare, .call = transform_call};

/* ---- The factory ---- */

static const struct {
    const char *name;
    StageKind kind;
} stage_kinds[] = {{"map", STAGE_MAP}, {"flat_map", STAGE_FLAT_MAP}, {"filter", STAGE_FILTER}, {"key", STAGE_KEY}, {"map_arrow", STAGE_ARROW}};

static int parse_stage(Host *host, int index, PyObject *stage)
{
    const char *kind;
    PyObject *callable, *name, *text;
    if (!PyTuple_Check(stage) || !PyArg_ParseTuple(stage, "sOUO:stage", &kind, &callable, &name, &text)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a stage is a tuple (kind, function, name, schema)");
        return -1;
    }
    StageKind found = STAGE_OTHER;
    for (size_t place = 0; place < sizeof stage_kinds / sizeof *stage_kinds; place++) {
        if (strcmp(kind, stage_kinds[place].name) == 0) found = stage_kinds[place].kind;
    }
    if (found == STAGE_OTHER) return PyErr_Format(PyExc_ValueError, "there is no stage of kind '%s'", kind), -1;
    if ((found == STAGE_KEY && index != host->stage_count - 1) || (found == STAGE_ARROW && host->stage_count != 1)) {
        return PyErr_Format(PyExc_ValueError, "a '%s' stage stands %s", kind, found == STAGE_KEY ? "last" : "alone"), -1;
    }
    Schema *schema = text == Py_None ? NULL : schema_from_object(text);
    if (text != Py_None && schema == NULL) return -1;
    int status = host_set_stage(host, index, found, callable, name, schema, 1);
    schema_release(schema);
    if (status == 0 && schema == NULL && found != STAGE_FILTER) return PyErr_Format(PyExc_ValueError, "the stage '%U' needs a schema", name), -1;
    return status;
}

/* A key's schema as the engine wants it: a tuple of the key's columns. */
static Schema *key_columns_of(const Schema *schema)
{
    if (!schema->is_scalar) return schema_retain((Schema *)schema);
    PyObject *text = PyUnicode_FromFormat("TUPLE<%s>", schema_text(schema));
    Schema *columns = text == NULL ? NULL : schema_from_object(text);
    Py_XDECREF(text);
    return columns;
}

static int set_schemas(Host *host, PyObject *input)
{
    host->input = schema_from_object(input);
    if (host->input == NULL) return -1;
    const Schema *last = host->input;
    bool is_key_alone = true;
    for (int index = 0; index < host->stage_count; index++) {
        const Stage *stage = &host->stages[index];
        if (stage->kind == STAGE_KEY) {
            host->keys = key_columns_of(stage->schema);
            if (host->keys == NULL) return -1;
        } else {
            is_key_alone = false;
            if (stage->schema != NULL) last = stage->schema;
        }
    }
    if (!is_key_alone) host->output = schema_retain((Schema *)last);
    return 0;
}

static PyObject *chain_name(PyObject *stages)
{
    PyObject *name = NULL;
    for (Py_ssize_t index = 0; index < PySequence_Fast_GET_SIZE(stages); index++) {
        PyObject *stage = PySequence_Fast_GET_ITEM(stages, index);
        PyObject *part = PyTuple_Check(stage) && PyTuple_GET_SIZE(stage) == 4 ? PyTuple_GET_ITEM(stage, 2) : NULL;
        if (part == NULL || !PyUnicode_Check(part)) continue;
        if (name == NULL) name = Py_NewRef(part);
        else Py_SETREF(name, PyUnicode_FromFormat("%U -> %U", name, part));
    }
    return name == NULL ? PyUnicode_FromString("transform") : name;
}

PyObject *make_transform(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"stages", "input_schema", NULL};
    PyObject *given, *input;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OU:transform", names, &given, &input)) return NULL;
    PyObject *stages = PySequence_Fast(given, "stages is a sequence");
    if (stages == NULL) return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(stages);
    Host *host = NULL;
    if (count < 1 || count > CHAIN_STAGE_LIMIT) {
        PyErr_Format(PyExc_ValueError, "a chain has 1 to %d stages", CHAIN_STAGE_LIMIT);
    } else {
        PyObject *name = chain_name(stages);
        bool is_arrow = false;
        PyObject *first = PySequence_Fast_GET_ITEM(stages, 0);
        if (PyTuple_Check(first) && PyTuple_GET_SIZE(first) > 0 && PyUnicode_Check(PyTuple_GET_ITEM(first, 0))) {
            is_arrow = PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(first, 0), "map_arrow") == 0;
        }
        host = name == NULL ? NULL : host_new(is_arrow ? &arrow_kind : &transform_kind, (int)count, name);
        Py_XDECREF(name);
    }
    bool is_made = host != NULL;
    for (Py_ssize_t index = 0; is_made && index < count; index++) is_made = parse_stage(host, (int)index, PySequence_Fast_GET_ITEM(stages, index)) == 0;
    if (is_made) is_made = set_schemas(host, input) == 0;
    Py_DECREF(stages);
    if (is_made) return function_wrap(host);
    host_free(host);
    return NULL;
}

int transform_add_types(void) { return PyType_Ready(&Check_Type); }
