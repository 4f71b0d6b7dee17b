/* Loops as Python code. CPython's specialising interpreter calls Python functions from Python code without leaving its loop; from C each call costs
 * an entry into it. So the loop over a batch is generated once per instance, with the user's functions as its fast locals.
 * Each call stands on a line of its own: the line of a traceback's first frame says which stage failed. */
#include <stdarg.h>
#include <stdlib.h>

#include "host.h"

void code_add(Code *code, int stage, const char *format, ...)
{
    if (code->count == code->capacity) {
        int capacity = code->capacity * 2 + 16;
        int *stages = realloc(code->stages, sizeof(int) * (size_t)capacity);
        if (stages == NULL) return;
        code->stages = stages;
        code->capacity = capacity;
    }
    va_list arguments;
    va_start(arguments, format);
    PyObject *text = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    /* One space a level; CPython's own limit is 100 levels. */
    static const char spaces[] = "                                                                                                    ";
    PyObject *indent = PyUnicode_FromStringAndSize(spaces, code->indent < 100 ? code->indent : 99);
    PyObject *line = text == NULL || indent == NULL || code->lines == NULL ? NULL : PyUnicode_Concat(indent, text);
    Py_XDECREF(indent);
    if (line != NULL && PyList_Append(code->lines, line) == 0) code->stages[code->count++] = stage;
    Py_XDECREF(line);
    Py_XDECREF(text);
}

/* def loop(rows, out, keys, f0=f0, f1=f1): every name of the dict is a default, and so a fast local. */
static PyObject *make_header(PyObject *parameters)
{
    PyObject *header = PyUnicode_FromString("def loop(rows, out, keys");
    PyObject *name, *value;
    Py_ssize_t place = 0;
    while (header != NULL && PyDict_Next(parameters, &place, &name, &value)) {
        Py_SETREF(header, PyUnicode_FromFormat("%U, %U=%U", header, name, name));
    }
    if (header != NULL) Py_SETREF(header, PyUnicode_FromFormat("%U):", header));
    return header;
}

static PyObject *make_function(PyObject *source, PyObject *parameters)
{
    const char *text = PyUnicode_AsUTF8(source);
    PyObject *code = text == NULL ? NULL : Py_CompileString(text, "<millstream>", Py_file_input);
    PyObject *names = code == NULL ? NULL : PyDict_Copy(parameters);
    PyObject *function = NULL;
    if (names != NULL && PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0) {
        PyObject *result = PyEval_EvalCode(code, names, names);
        if (result != NULL) function = Py_XNewRef(PyDict_GetItemString(names, "loop"));
        Py_XDECREF(result);
        /* The function's globals hold nothing of the user's, so that no cycle runs through them. */
        PyDict_Clear(names);
    }
    Py_XDECREF(names);
    Py_XDECREF(code);
    return function;
}

int code_compile(Code *code, Host *host, PyObject *parameters)
{
    PyObject *header = code->lines == NULL ? NULL : make_header(parameters);
    PyObject *newline = PyUnicode_FromString("\n");
    PyObject *source = NULL;
    if (header != NULL && newline != NULL && PyList_Insert(code->lines, 0, header) == 0) source = PyUnicode_Join(newline, code->lines);
    if (source != NULL) Py_SETREF(source, PyUnicode_FromFormat("%U\n", source));
    if (source != NULL) Py_XSETREF(host->function, make_function(source, parameters));
    Py_XDECREF(source);
    Py_XDECREF(newline);
    Py_XDECREF(header);
    Py_CLEAR(code->lines);
    free(host->line_stages);
    host->line_stages = code->stages;
    host->line_count = code->count;
    return host->function == NULL ? -1 : 0;
}
