/* Sources of an environment. */
#include <stdlib.h>

#include "arrow.h"
#include "environment.h"
#include "errors.h"
#include "host.h"

PyObject *source_sequence(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"first", "last", "watermarks", NULL};
    long long first, last;
    PyObject *given = NULL;
    const millstream_watermarks *watermarks;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "LL|O:source_sequence", names, &first, &last, &given)) return NULL;
    if (!read_watermarks(given, &watermarks) || !environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_source_sequence(self->handle, first, last, watermarks, &node, &error);
    return node_result(status, error, node);
}

PyObject *source_generator(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"columns", "count", "rows_per_second", "watermarks", NULL};
    long long count = -1;
    double rate = 0;
    PyObject *columns, *given = NULL;
    const millstream_watermarks *watermarks;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|LdO:source_generator", names, &columns, &count, &rate, &given)) return NULL;
    if (!read_watermarks(given, &watermarks) || !environment_check(self)) return NULL;
    int32_t column_count = 0;
    const millstream_expression **expressions = expressions_of(columns, &column_count);
    if (expressions == NULL) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_source_generator(self->handle, expressions, column_count, count, rate, watermarks, &node, &error);
    free(expressions);
    return node_result(status, error, node);
}

/* Paths as file-system encoded bytes; *held owns them. */
static const char **read_paths(PyObject *paths, PyObject **held, Py_ssize_t *count)
{
    PyObject *list = PySequence_Fast(paths, "paths is a sequence of str");
    *held = list == NULL ? NULL : PyList_New(0);
    *count = list == NULL ? 0 : PySequence_Fast_GET_SIZE(list);
    const char **result = *held == NULL ? NULL : PyMem_Calloc((size_t)*count + 1, sizeof *result);
    for (Py_ssize_t index = 0; result != NULL && index < *count; index++) {
        PyObject *bytes = NULL;
        int is_added = PyUnicode_FSConverter(PySequence_Fast_GET_ITEM(list, index), &bytes) ? PyList_Append(*held, bytes) : -1;
        if (is_added == 0) {
            result[index] = PyBytes_AS_STRING(bytes);
        } else {
            PyMem_Free(result);
            result = NULL;
        }
        Py_XDECREF(bytes);
    }
    Py_XDECREF(list);
    if (result == NULL) Py_CLEAR(*held);
    return result;
}

PyObject *source_files(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"paths", "schema", "options", "watermarks", NULL};
    const char *schema;
    PyObject *paths, *options, *given = NULL, *held_paths = NULL, *held_options = NULL;
    const millstream_watermarks *watermarks;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OzO|O:source_files", names, &paths, &schema, &options, &given)) return NULL;
    if (!read_watermarks(given, &watermarks) || !environment_check(self)) return NULL;
    Py_ssize_t count = 0;
    const char **path_texts = read_paths(paths, &held_paths, &count);
    const char **pairs = path_texts == NULL ? NULL : read_options(options, &held_options);
    PyObject *result = NULL;
    if (pairs != NULL) {
        millstream_node node = -1;
        millstream_error *error = NULL;
        millstream_status status = millstream_source_files(self->handle, path_texts, (int32_t)count, schema, pairs, watermarks, &node, &error);
        result = node_result(status, error, node);
    }
    PyMem_Free(path_texts);
    PyMem_Free(pairs);
    Py_XDECREF(held_paths);
    Py_XDECREF(held_options);
    return result;
}

PyObject *source_socket(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"host", "port", "delimiter", "max_retries", "watermarks", NULL};
    const char *host, *delimiter = "\n";
    int port, max_retries = 0;
    Py_ssize_t length = 1;
    PyObject *given = NULL;
    const millstream_watermarks *watermarks;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "si|s#iO:source_socket", names, &host, &port, &delimiter, &length, &max_retries, &given)) return NULL;
    if (length != 1) return PyErr_Format(PyExc_ValueError, "the delimiter is one ASCII character");
    if (!read_watermarks(given, &watermarks) || !environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_source_socket(self->handle, host, port, delimiter[0], max_retries, watermarks, &node, &error);
    return node_result(status, error, node);
}

PyObject *source_arrow(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"stream", "shape", "watermarks", "is_table", NULL};
    const char *shape;
    int is_table = 0;
    PyObject *source, *given = NULL;
    const millstream_watermarks *watermarks;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "Os|Op:source_arrow", names, &source, &shape, &given, &is_table)) return NULL;
    if (!read_watermarks(given, &watermarks) || !environment_check(self)) return NULL;
    struct ArrowArrayStream stream;
    if (arrow_take_stream(source, &stream) < 0) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = is_table ? millstream_source_table(self->handle, &stream, shape, watermarks, &node, &error)
                                        : millstream_source_arrow(self->handle, &stream, shape, watermarks, &node, &error);
    return node_result(status, error, node);
}

PyObject *source_function(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"function", "is_bounded", "watermarks", NULL};
    int is_bounded = 1;
    PyObject *function, *given = NULL;
    const millstream_watermarks *watermarks;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!|pO:source_function", names, &Function_Type, &function, &is_bounded, &given)) return NULL;
    if (!read_watermarks(given, &watermarks) || !environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_source_function(self->handle, function_handle(function), is_bounded, watermarks, &node, &error);
    return node_result(status, error, node);
}
