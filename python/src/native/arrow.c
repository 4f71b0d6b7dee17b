/* Arrow's C interfaces as PyCapsules, and functions over whole columns. */
#include "arrow.h"

#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "gate.h"

/* ---- Capsules ---- */

static void schema_capsule_free(PyObject *capsule)
{
    struct ArrowSchema *schema = PyCapsule_GetPointer(capsule, "arrow_schema");
    if (schema != NULL && schema->release != NULL) schema->release(schema);
    free(schema);
}

static void array_capsule_free(PyObject *capsule)
{
    struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
    if (array != NULL && array->release != NULL) array->release(array);
    free(array);
}

static void stream_capsule_free(PyObject *capsule)
{
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (stream != NULL && stream->release != NULL) stream->release(stream);
    free(stream);
}

#define MAKE_CAPSULE(structure, name, destructor)                                                                                                      \
    void *moved = malloc(sizeof *structure);                                                                                                           \
    PyObject *capsule = moved == NULL ? PyErr_NoMemory() : NULL;                                                                                       \
    if (moved != NULL) {                                                                                                                               \
        memcpy(moved, structure, sizeof *structure);                                                                                                   \
        capsule = PyCapsule_New(moved, name, destructor);                                                                                              \
    }                                                                                                                                                  \
    if (capsule == NULL) {                                                                                                                             \
        structure->release(structure);                                                                                                                 \
        free(moved);                                                                                                                                   \
    }                                                                                                                                                  \
    return capsule

PyObject *arrow_schema_capsule(struct ArrowSchema *schema) { MAKE_CAPSULE(schema, "arrow_schema", schema_capsule_free); }
PyObject *arrow_array_capsule(struct ArrowArray *array) { MAKE_CAPSULE(array, "arrow_array", array_capsule_free); }
PyObject *arrow_stream_capsule(struct ArrowArrayStream *stream) { MAKE_CAPSULE(stream, "arrow_array_stream", stream_capsule_free); }

int arrow_take_stream(PyObject *source, struct ArrowArrayStream *stream)
{
    PyObject *capsule = PyCapsule_IsValid(source, "arrow_array_stream") ? Py_NewRef(source) : PyObject_CallMethod(source, "__arrow_c_stream__", NULL);
    struct ArrowArrayStream *found = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (found != NULL && found->release == NULL) {
        PyErr_SetString(PyExc_ValueError, "the Arrow stream was read already");
        found = NULL;
    }
    if (found != NULL) {
        *stream = *found;
        found->release = NULL;
    }
    Py_XDECREF(capsule);
    return found == NULL ? -1 : 0;
}

/* ---- What our builders made ---- */

int arrow_bind_built(RowReader *reader, const struct ArrowArray *array) { return row_reader_bind(reader, array, NULL); }

static void release_objects(const Type *type, const struct ArrowArray *array)
{
    if (type->kind == TYPE_OBJECT) {
        PyObject *const *handles = array->buffers[1];
        for (int64_t index = 0; handles != NULL && index < array->length; index++) Py_XDECREF(handles[index]);
        return;
    }
    const struct ArrowArray *parent = type->kind == TYPE_MAP || type->kind == TYPE_MULTISET ? array->children[0] : array;
    for (int index = 0; index < type->child_count; index++) release_objects(type->children[index], parent->children[index]);
}

void arrow_release_built(const Schema *schema, struct ArrowArray *array)
{
    for (int index = 0; index < schema->column_count; index++) release_objects(schema->columns[index], array->children[index]);
    array->release(array);
}

/* ---- Schemas ---- */

static PyObject *take_string(char *text)
{
    PyObject *string = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    millstream_string_free(text);
    return string;
}

PyObject *parse_schema(PyObject *module, PyObject *text)
{
    (void)module;
    if (!gate_check()) return NULL;
    Schema *schema = schema_from_object(text);
    if (schema == NULL) return NULL;
    char *canonical = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_schema_parse(schema_text(schema), &canonical, &error);
    schema_release(schema);
    return status == MILLSTREAM_OK ? take_string(canonical) : error_raise_engine(status, error);
}

PyObject *schema_to_arrow(PyObject *module, PyObject *text)
{
    (void)module;
    if (!gate_check()) return NULL;
    Schema *schema = schema_from_object(text);
    if (schema == NULL) return NULL;
    struct ArrowSchema arrow;
    millstream_error *error = NULL;
    millstream_status status = millstream_schema_to_arrow(schema_text(schema), &arrow, &error);
    schema_release(schema);
    return status == MILLSTREAM_OK ? arrow_schema_capsule(&arrow) : error_raise_engine(status, error);
}

PyObject *schema_from_arrow(PyObject *module, PyObject *source)
{
    (void)module;
    if (!gate_check()) return NULL;
    PyObject *capsule = PyCapsule_IsValid(source, "arrow_schema") ? Py_NewRef(source) : PyObject_CallMethod(source, "__arrow_c_schema__", NULL);
    struct ArrowSchema *arrow = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, "arrow_schema");
    PyObject *result = NULL;
    if (arrow != NULL) {
        char *text = NULL;
        millstream_error *error = NULL;
        millstream_status status = millstream_schema_from_arrow(arrow, &text, &error);
        result = status == MILLSTREAM_OK ? take_string(text) : error_raise_engine(status, error);
    }
    Py_XDECREF(capsule);
    return result;
}

/* ---- Functions over columns ---- */

/* What a map_arrow function gets: `__arrow_c_array__` moves the request's columns out, so that they outlive the call without a copy. */
typedef struct ColumnsObject {
    PyObject_HEAD
    struct ArrowArray array;
    char *schema_text;
} ColumnsObject;

static PyObject *columns_array(ColumnsObject *self, PyObject *arguments, PyObject *keywords)
{
    (void)arguments, (void)keywords;
    if (self->array.release == NULL) return PyErr_SetString(PyExc_ValueError, "the columns were taken already"), NULL;
    struct ArrowSchema schema;
    millstream_error *error = NULL;
    millstream_status status = millstream_schema_to_arrow(self->schema_text, &schema, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    PyObject *first = arrow_schema_capsule(&schema);
    PyObject *second = first == NULL ? NULL : arrow_array_capsule(&self->array);
    if (first != NULL) self->array.release = NULL;
    PyObject *pair = second == NULL ? NULL : PyTuple_Pack(2, first, second);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return pair;
}

static void columns_dealloc(ColumnsObject *self)
{
    if (self->array.release != NULL) self->array.release(&self->array);
    free(self->schema_text);
    PyObject_Free(self);
}

static PyMethodDef columns_methods[] = {
    {"__arrow_c_array__", (PyCFunction)(void (*)(void))columns_array, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject Columns_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native._Columns",
    .tp_basicsize = sizeof(ColumnsObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)columns_dealloc,
    .tp_methods = columns_methods,
};

static PyObject *columns_new(Host *host, const millstream_request *request)
{
    ColumnsObject *columns = PyObject_New(ColumnsObject, &Columns_Type);
    if (columns == NULL) return NULL;
    columns->array = *request->columns;
    request->columns->release = NULL;
    columns->schema_text = strdup(schema_text(host->input));
    return (PyObject *)columns;
}

/* Whether two schemas have the same shape: formats and children, not names. */
static bool is_same_shape(const struct ArrowSchema *left, const struct ArrowSchema *right)
{
    if (strcmp(left->format, right->format) != 0 || left->n_children != right->n_children) return false;
    for (int64_t index = 0; index < left->n_children; index++) {
        if (!is_same_shape(left->children[index], right->children[index])) return false;
    }
    return true;
}

/* The declared output's shape against that of the normalised result. 0, or -1 with TypeMismatchError. */
static int check_shape(const Host *host, const struct ArrowSchema *given)
{
    struct ArrowSchema wanted;
    char *text = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_schema_to_arrow(schema_text(host->output), &wanted, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error), -1;
    bool is_same = is_same_shape(&wanted, given);
    wanted.release(&wanted);
    if (is_same) return 0;
    status = millstream_schema_from_arrow(given, &text, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error), -1;
    error_raise(MILLSTREAM_TYPE_MISMATCH, NULL, "declared %.300s, but the function gave columns of %.300s", schema_text(host->output), text);
    millstream_string_free(text);
    return -1;
}

/* Gives an array the layout of the function's output, and emits it. Takes the array over. */
static int emit_array(Host *host, const millstream_request *request, struct ArrowSchema *schema, struct ArrowArray *array)
{
    struct ArrowArray checked;
    struct ArrowSchema checked_schema;
    millstream_error *error = NULL;
    millstream_status status = millstream_arrow_copy(array, schema, 0, &checked, &checked_schema, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error), -1;
    int shape = check_shape(host, &checked_schema);
    checked_schema.release(&checked_schema);
    if (shape < 0) {
        checked.release(&checked);
        return -1;
    }
    status = millstream_response_emit(request->response, NULL, &checked, NULL, NULL, NULL, &error);
    if (status == MILLSTREAM_OK) return 0;
    error_raise_engine(status, error);
    return -1;
}

/* Moves the array out of what has `__arrow_c_array__`; the schema lives as long as the pair, which is given back. NULL with an exception. */
static PyObject *take_array(PyObject *source, struct ArrowSchema **schema, struct ArrowArray *array)
{
    PyObject *pair = PyObject_CallMethod(source, "__arrow_c_array__", NULL);
    if (pair == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        error_raise(MILLSTREAM_TYPE_MISMATCH, NULL, "the function gave %.100s; an Arrow array or record batch was expected", Py_TYPE(source)->tp_name);
    }
    if (pair == NULL) return NULL;
    struct ArrowArray *found = NULL;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "__arrow_c_array__ gives a pair of capsules");
    } else {
        *schema = PyCapsule_GetPointer(PyTuple_GET_ITEM(pair, 0), "arrow_schema");
        if (*schema != NULL) found = PyCapsule_GetPointer(PyTuple_GET_ITEM(pair, 1), "arrow_array");
    }
    if (found == NULL) {
        Py_DECREF(pair);
        return NULL;
    }
    *array = *found;
    found->release = NULL;
    return pair;
}

bool arrow_is_array(PyObject *source) { return PyObject_HasAttrString(source, "__arrow_c_array__"); }

int64_t arrow_emit(Host *host, const millstream_request *request, PyObject *source)
{
    struct ArrowSchema *schema;
    struct ArrowArray array;
    PyObject *pair = take_array(source, &schema, &array);
    if (pair == NULL) return -1;
    int64_t count = array.length;
    int status = emit_array(host, request, schema, &array);
    Py_DECREF(pair);
    return status < 0 ? -1 : count;
}

PyObject *arrow_columns(Host *host, const millstream_request *request) { return columns_new(host, request); }

int arrow_transform(Host *host, const millstream_request *request)
{
    PyObject *columns = columns_new(host, request);
    PyObject *result = columns == NULL ? NULL : PyObject_CallOneArg(stage_callable(&host->stages[0], 0), columns);
    struct ArrowSchema *schema;
    struct ArrowArray array;
    PyObject *pair = result == NULL ? NULL : take_array(result, &schema, &array);
    int status = -1;
    if (pair != NULL && array.length == request->count) {
        status = emit_array(host, request, schema, &array);
    } else if (pair != NULL) {
        error_raise(MILLSTREAM_TYPE_MISMATCH, NULL, "the function gave %lld rows for %lld", (long long)array.length, (long long)request->count);
        array.release(&array);
    }
    Py_XDECREF(pair);
    Py_XDECREF(result);
    Py_XDECREF(columns);
    return status;
}

int arrow_add_types(void) { return PyType_Ready(&Columns_Type); }
