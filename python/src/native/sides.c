/* Side outputs: one builder per declared tag. A tag that nobody declared is dropped, as in Flink. */
#include "sides.h"

#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "values.h"

typedef struct SideOutput {
    char *tag;
    Schema *schema;
    RowBuilder builder;
    int64_t count;
    int32_t *parents;
    int64_t *timestamps;
    bool has_timestamps;
    int64_t capacity;
} SideOutput;

int sides_prepare(Host *host)
{
    if (host->side_outputs == NULL) return 0;
    Py_ssize_t count = PyDict_Size(host->side_outputs), place = 0;
    host->sides = calloc((size_t)(count == 0 ? 1 : count), sizeof(SideOutput));
    if (host->sides == NULL) return PyErr_NoMemory(), -1;
    PyObject *tag, *text;
    while (PyDict_Next(host->side_outputs, &place, &tag, &text)) {
        SideOutput *side = &host->sides[host->side_count];
        const char *name = PyUnicode_AsUTF8(tag);
        side->tag = name == NULL ? NULL : strdup(name);
        side->schema = side->tag == NULL ? NULL : schema_from_object(text);
        host->side_count++;
        if (side->schema == NULL || row_builder_make(&side->builder, side->schema, NULL) < 0) return -1;
    }
    return 0;
}

void sides_free(Host *host)
{
    for (int index = 0; index < host->side_count; index++) {
        SideOutput *side = &host->sides[index];
        free(side->tag);
        free(side->parents);
        free(side->timestamps);
        if (side->builder.columns != NULL) row_builder_free(&side->builder);
        schema_release(side->schema);
    }
    free(host->sides);
    host->sides = NULL;
    host->side_count = 0;
}

/* The side output of a tag, or NULL; -1 in *status if its id cannot be read. */
static SideOutput *find_side(Host *host, PyObject *tag, int *status)
{
    PyObject *id = PyObject_GetAttrString(tag, "tag_id");
    const char *name = id == NULL ? NULL : PyUnicode_AsUTF8(id);
    SideOutput *found = NULL;
    if (name == NULL) *status = -1;
    for (int index = 0; name != NULL && index < host->side_count && found == NULL; index++) {
        if (strcmp(host->sides[index].tag, name) == 0) found = &host->sides[index];
    }
    Py_XDECREF(id);
    return found;
}

/* `timestamp` may be NULL; of one call all are or none is. */
static int add_to_side(SideOutput *side, PyObject *value, int32_t parent, const int64_t *timestamp)
{
    if (side->count == side->capacity) {
        int64_t capacity = side->capacity * 2 + 64;
        int32_t *parents = realloc(side->parents, sizeof(int32_t) * (size_t)capacity);
        if (parents != NULL) side->parents = parents;
        int64_t *timestamps = realloc(side->timestamps, sizeof(int64_t) * (size_t)capacity);
        if (timestamps != NULL) side->timestamps = timestamps;
        if (parents == NULL || timestamps == NULL) return PyErr_NoMemory(), -1;
        side->capacity = capacity;
    }
    if (row_builder_append(&side->builder, &value, 1) != 1) return -1;
    side->has_timestamps = timestamp != NULL;
    if (timestamp != NULL) side->timestamps[side->count] = *timestamp;
    side->parents[side->count++] = parent;
    return 0;
}

int sides_send(Host *host, millstream_response *response)
{
    for (int index = 0; index < host->side_count; index++) {
        SideOutput *side = &host->sides[index];
        const int64_t *timestamps = side->has_timestamps ? side->timestamps : NULL;
        if (side->count > 0 && host_send(&side->builder, side->count, response, side->tag, side->parents, timestamps, NULL) < 0) return -1;
        side->count = 0;
    }
    return 0;
}

void sides_reset(Host *host)
{
    for (int index = 0; index < host->side_count; index++) {
        row_builder_reset(&host->sides[index].builder);
        host->sides[index].count = 0;
    }
}

static bool has_tagged(PyObject *out, Py_ssize_t count)
{
    for (Py_ssize_t index = 0; index < count; index++) {
        if (values_side_output_tag(PyList_GET_ITEM(out, index)) != NULL) return true;
    }
    return false;
}

int sides_divide(Host *host, Py_ssize_t count, int32_t *parents, int64_t *timestamps, PyObject **rest)
{
    if (!host->rows->is_pausing || !has_tagged(host->out, count)) return 0;
    PyObject *untagged = PyList_New(0);
    int status = untagged == NULL ? -1 : 0;
    Py_ssize_t kept = 0;
    for (Py_ssize_t index = 0; status == 0 && index < count; index++) {
        PyObject *item = PyList_GET_ITEM(host->out, index), *tag = values_side_output_tag(item);
        if (tag == NULL) {
            status = PyList_Append(untagged, item);
            if (timestamps != NULL) timestamps[kept] = timestamps[index];
            parents[kept++] = parents[index];
            continue;
        }
        SideOutput *side = find_side(host, tag, &status);
        if (side != NULL) status = add_to_side(side, PyTuple_GET_ITEM(item, 1), parents[index], timestamps == NULL ? NULL : &timestamps[index]);
        if (status < 0) host_fail_at(host, parents[index], 0);
    }
    if (status == 0) {
        *rest = untagged;
        return 0;
    }
    Py_XDECREF(untagged);
    sides_reset(host);
    return -1;
}
