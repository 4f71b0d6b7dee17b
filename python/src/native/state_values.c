/* State objects' common parts, and their values. */
#include "state_values.h"

#include <string.h>

#include "errors.h"
#include "typed_value.h"
#include "values.h"
#include "write.h"

int state_codec_make(StateCodec *codec, PyObject *text, bool is_key)
{
    Schema *schema = schema_from_object(text);
    if (schema == NULL) return -1;
    schema_release(codec->schema);
    codec->schema = schema;
    Py_CLEAR(codec->check);
    Py_CLEAR(codec->type);
    switch (schema->type->kind) {
    case TYPE_DECIMAL: case TYPE_ARRAY: case TYPE_MAP: case TYPE_MULTISET: case TYPE_ROW: case TYPE_TUPLE: case TYPE_NULL:
        codec->check = stage_check_new(schema);
        if (codec->check == NULL) return -1;
        if (is_key) return 0;
        codec->type = Py_NewRef(text);
        PyUnicode_InternInPlace(&codec->type);
        return 0;
    default: return 0;
    }
}

PyObject *state_codec_hold(const StateCodec *codec, PyObject *value)
{
    if (codec->check == NULL) return Py_NewRef(value);
    if (value == Py_None) return conversion_refuse(codec->schema->type, value, "null is not allowed"), NULL;
    PyObject *checked = PyObject_CallOneArg(codec->check, value);
    if (checked == NULL || codec->type == NULL) return checked;
    PyObject *held = typed_value_make(checked, codec->type);
    Py_DECREF(checked);
    return held;
}

static int write_number(const StateCodec *codec, PyObject *value, millstream_value *target)
{
    /* The builder's checks are those of columns. */
    Builder builder;
    if (builder_make(&builder, codec->schema->type) < 0) return -1;
    int status = builder_append(&builder, value);
    if (status < 0) {
        conversion_raise(codec->schema->type);
    } else {
        const void *stored = builder.values;
        target->kind = MILLSTREAM_VALUE_INT64;
        switch (codec->schema->type->kind) {
        case TYPE_BOOLEAN: target->kind = MILLSTREAM_VALUE_BOOLEAN, target->as.integer = *(const uint8_t *)stored & 1; break;
        case TYPE_FLOAT: target->kind = MILLSTREAM_VALUE_DOUBLE, target->as.number = *(const float *)stored; break;
        case TYPE_DOUBLE: target->kind = MILLSTREAM_VALUE_DOUBLE, target->as.number = *(const double *)stored; break;
        case TYPE_TINYINT: target->as.integer = *(const int8_t *)stored; break;
        case TYPE_SMALLINT: target->as.integer = *(const int16_t *)stored; break;
        default: target->as.integer = type_byte_width(builder.type) == 4 ? *(const int32_t *)stored : *(const int64_t *)stored;
        }
    }
    builder_free(&builder);
    return status;
}

/* The engine copies bytes before the call returns, and the caller holds the value. */
static int write_bytes(const StateCodec *codec, PyObject *value, millstream_value *target)
{
    Py_ssize_t length = 0;
    const char *bytes = NULL;
    const char *problem = codec->schema->type->kind == TYPE_TEXT ? "a str was expected" : "bytes were expected";
    if (codec->schema->type->kind == TYPE_TEXT && PyUnicode_Check(value)) {
        bytes = PyUnicode_AsUTF8AndSize(value, &length);
        problem = "it holds a lone surrogate, which is no text";
    } else if (codec->schema->type->kind != TYPE_TEXT && PyBytes_Check(value)) {
        bytes = PyBytes_AS_STRING(value);
        length = PyBytes_GET_SIZE(value);
    }
    if (bytes == NULL) {
        PyErr_Clear();
        conversion_refuse(codec->schema->type, value, problem);
        return -1;
    }
    target->kind = MILLSTREAM_VALUE_BYTES;
    target->length = length;
    target->as.bytes = (const uint8_t *)bytes;
    return 0;
}

int state_codec_write(const StateCodec *codec, PyObject *value, bool is_lent, millstream_value *target)
{
    memset(target, 0, sizeof *target);
    switch (codec->check != NULL ? TYPE_OBJECT : codec->schema->type->kind) {
    case TYPE_OBJECT:
        target->kind = MILLSTREAM_VALUE_OBJECT;
        target->as.object = is_lent ? value : Py_NewRef(value);
        return 0;
    case TYPE_TEXT: case TYPE_BYTES: case TYPE_RAW: return write_bytes(codec, value, target);
    default: break;
    }
    if (value == Py_None) return conversion_refuse(codec->schema->type, value, "null is not allowed"), -1;
    return write_number(codec, value, target);
}

PyObject *state_codec_read(const StateCodec *codec, const millstream_value *value)
{
    const Type *type = codec->schema->type;
    int64_t units = type_units_per_second(type);
    switch (value->kind) {
    case MILLSTREAM_VALUE_NULL: Py_RETURN_NONE;
    case MILLSTREAM_VALUE_BOOLEAN: return PyBool_FromLong(value->as.integer != 0);
    case MILLSTREAM_VALUE_DOUBLE: return PyFloat_FromDouble(value->as.number);
    case MILLSTREAM_VALUE_OBJECT: {
        PyObject *object = value->as.object;
        if (!Py_IS_TYPE(object, &TypedValue_Type)) return Py_NewRef(object);
        /* A state that has no type any more takes what there is. */
        return codec->type == NULL ? Py_NewRef(((TypedValue *)object)->value) : typed_value_as((TypedValue *)object, codec->type);
    }
    case MILLSTREAM_VALUE_BYTES:
        if (type->kind == TYPE_TEXT) return PyUnicode_DecodeUTF8((const char *)value->as.bytes, (Py_ssize_t)value->length, NULL);
        return PyBytes_FromStringAndSize((const char *)value->as.bytes, (Py_ssize_t)value->length);
    default: break;
    }
    switch (type->kind) {
    case TYPE_DATE: return date_get(value->as.integer);
    case TYPE_TIME: return time_get(value->as.integer, units);
    case TYPE_TIMESTAMP: return timestamp_get(value->as.integer, units);
    case TYPE_TIMESTAMP_LTZ: return instant_get(value->as.integer, units);
    case TYPE_DAY_TIME: return duration_get(value->as.integer, units);
    default: return PyLong_FromLongLong(value->as.integer);
    }
}

PyObject *state_done(millstream_status status, millstream_error *error)
{
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    Py_RETURN_NONE;
}

int state_traverse(StateObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->context);
    Py_VISIT(self->extra);
    return 0;
}

int state_clear_references(StateObject *self)
{
    Py_CLEAR(self->context);
    Py_CLEAR(self->extra);
    return 0;
}

void state_dealloc(StateObject *self)
{
    PyObject_GC_UnTrack(self);
    state_clear_references(self);
    schema_release(self->value.schema);
    schema_release(self->key.schema);
    Py_XDECREF(self->value.check);
    Py_XDECREF(self->key.check);
    Py_XDECREF(self->value.type);
    Py_XDECREF(self->key.type);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

int state_init(StateObject *self, PyObject *context, int index, PyObject *value_schema, PyObject *key_schema, PyObject *extra)
{
    if (!PyObject_TypeCheck(context, &Context_Type)) {
        PyErr_Format(PyExc_TypeError, "a state needs the context of a process function, not %.100s", Py_TYPE(context)->tp_name);
        return -1;
    }
    PyObject *fallback = PyUnicode_FromString("OBJECT");
    int status = fallback == NULL ? -1 : state_codec_make(&self->value, value_schema == NULL ? fallback : value_schema, false);
    if (status == 0) status = state_codec_make(&self->key, key_schema == NULL ? fallback : key_schema, true);
    Py_XDECREF(fallback);
    if (status < 0) return -1;
    Py_XSETREF(self->context, (ContextObject *)Py_NewRef(context));
    Py_XSETREF(self->extra, Py_XNewRef(extra));
    self->index = index;
    return 0;
}

PyObject *state_clear(StateObject *self, PyObject *unused)
{
    (void)unused;
    int64_t row;
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    return state == NULL ? NULL : state_done(millstream_state_clear(state, self->index, row, &error), error);
}
