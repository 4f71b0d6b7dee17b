/* The types of columns, as the extension sees them: read from schema texts once, then shared by readers and builders. */
#ifndef MILLSTREAM_NATIVE_TYPES_H
#define MILLSTREAM_NATIVE_TYPES_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum TypeKind {
    TYPE_BOOLEAN, TYPE_TINYINT, TYPE_SMALLINT, TYPE_INT, TYPE_BIGINT, TYPE_FLOAT, TYPE_DOUBLE, TYPE_DECIMAL, TYPE_TEXT, TYPE_BYTES, TYPE_DATE, TYPE_TIME,
    TYPE_TIMESTAMP, TYPE_TIMESTAMP_LTZ, TYPE_YEAR_MONTH, TYPE_DAY_TIME, TYPE_ARRAY, TYPE_MAP, TYPE_MULTISET, TYPE_ROW, TYPE_TUPLE, TYPE_RAW, TYPE_OBJECT,
    TYPE_NULL
} TypeKind;

typedef struct Type Type;
struct Type {
    TypeKind kind;
    bool is_nullable;
    /* DECIMAL, TIME, TIMESTAMP, intervals. */
    int precision;
    int scale;
    /* Code points of CHAR and VARCHAR, bytes of BINARY and VARBINARY; 0: unbounded. */
    int64_t length;
    bool is_fixed_length;
    /* Elements, keys and values, fields. */
    int child_count;
    Type **children;
    /* ROW and TUPLE: the fields' names, a tuple of interned str. */
    PyObject *names;
    /* For messages and for the engine. */
    char *text;
};

/* A schema is a type whose columns are its fields (ROW, TUPLE) or itself. */
typedef struct Schema {
    Type *type;
    bool is_scalar;
    int column_count;
    /* Borrowed from `type`. */
    Type **columns;
    int reference_count;
} Schema;

/* NULL with an exception (PlanError). The GIL is held. */
Schema *schema_from_text(const char *text);
/* Each returns 0 or -1. `text` may be NULL or None where `is_optional`. */
Schema *schema_from_object(PyObject *text);
Schema *schema_retain(Schema *schema);
void schema_release(Schema *schema);
/* The text for the engine, which knows tuples only outermost. */
const char *schema_text(const Schema *schema);

/* How many of the type's unit make a second: 1, 1,000, 1,000,000 or 1,000,000,000, by its precision. */
int64_t type_units_per_second(const Type *type);
/* Bytes of a value of fixed width; 0 for others. */
int type_byte_width(const Type *type);

#endif
