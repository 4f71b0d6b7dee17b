/* millstream._native: the C extension over millstream.h, and the only part of the Python package that knows it. docs/python-boundary.md gives the order in
 * which to read these files. Rules: every function here runs with the GIL, unless its comment says otherwise; engine calls that may wait release it. */
#include <Python.h>

#include "arrow.h"
#include "border.h"
#include "coding.h"
#include "environment.h"
#include "errors.h"
#include "gate.h"
#include "host.h"
#include "kinds.h"
#include "objects.h"
#include "process.h"
#include "shutdown.h"
#include "typed_value.h"
#include "values.h"

static PyObject *version(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyUnicode_FromString(millstream_version());
}

static PyObject *check_value(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"value", "schema", NULL};
    PyObject *value, *text;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OU:check_value", names, &value, &text)) return NULL;
    Schema *schema = schema_from_object(text);
    PyObject *result = schema == NULL ? NULL : value_through(schema, value);
    schema_release(schema);
    return result;
}

static PyObject *value_check(PyObject *module, PyObject *text)
{
    (void)module;
    Schema *schema = schema_from_object(text);
    PyObject *check = schema == NULL ? NULL : stage_check_new(schema);
    schema_release(schema);
    return check;
}

/* A factory of Functions, which remember what they were made of: the test kit's twin of the engine runs them from that. */
#define REMEMBERED(name, make)                                                               \
    static PyObject *make##_remembered(PyObject *module, PyObject *arguments, PyObject *keywords) \
    {                                                                                        \
        return function_remember(make(module, arguments, keywords), name, arguments, keywords);  \
    }

REMEMBERED("transform", make_transform)
REMEMBERED("extract_timestamps", make_extract_timestamps)
REMEMBERED("watermark_generator", make_watermark_generator)
REMEMBERED("reducer", make_reducer)
REMEMBERED("process", make_process)
REMEMBERED("co_process", make_co_process)

#define FACTORY(name, function, doc) {name, (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS, doc}

extern PyTypeObject SQLSession_Type;
extern PyObject *sql_session(PyObject *module, PyObject *environment);
extern PyObject *sql_execute(PyObject *module, PyObject *arguments);
extern PyObject *sql_split(PyObject *module, PyObject *text);
extern PyObject *savepoint_describe(PyObject *module, PyObject *path);
extern PyObject *savepoint_read(PyObject *module, PyObject *arguments);
extern PyObject *savepoint_manifest(PyObject *module, PyObject *path);
extern PyObject *savepoint_commits(PyObject *module, PyObject *path);
extern PyObject *savepoint_resolve(PyObject *module, PyObject *arguments);
extern PyObject *savepoint_write(PyObject *module, PyObject *arguments);

static PyMethodDef methods[] = {
    {"version", version, METH_NOARGS, "The engine's version."},
    {"parse_schema", parse_schema, METH_O, "Checks a schema's text and gives the canonical form."},
    {"schema_to_arrow", schema_to_arrow, METH_O, "A PyCapsule of the Arrow schema of a schema's text."},
    {"schema_from_arrow", schema_from_arrow, METH_O, "The text of an Arrow schema."},
    {"stable_hash", stable_hash, METH_O, "The hash that routes an OBJECT key."},
    {"encode_value", encode_value, METH_O, "A Python object as a checkpoint has it."},
    {"decode_value", decode_value, METH_O, "The object that encode_value wrote."},
    {"register_row_class", register_row_class, METH_O, "The class of the rows that C makes."},
    {"register_instant_class", register_instant_class, METH_O, "The class of TIMESTAMP_LTZ values."},
    {"register_output_tag_class", register_output_tag_class, METH_O, "The class that marks results for side outputs."},
    {"sql_session", sql_session, METH_O, "A session of SQL over an environment's configuration."},
    {"sql_execute", sql_execute, METH_VARARGS, "Runs one statement: its description as JSON, and its job."},
    {"sql_split", sql_split, METH_O, "The statements of a text."},
    {"savepoint_describe", savepoint_describe, METH_O, "What is in a savepoint, as JSON."},
    {"savepoint_read", savepoint_read, METH_VARARGS, "The rows of one part of an operator's state, and its columns."},
    {"savepoint_manifest", savepoint_manifest, METH_O, "What a savepoint's manifest says, as JSON."},
    {"savepoint_commits", savepoint_commits, METH_O, "The results that a savepoint has prepared, as JSON."},
    {"savepoint_resolve", savepoint_resolve, METH_VARARGS, "A copy of a savepoint in which is decided about prepared results."},
    {"savepoint_write", savepoint_write, METH_VARARGS, "A savepoint of rows, and of what another one has."},
    {"set_call_site", set_call_site, METH_O, "Where the functions made next are told to be that have no place of their own."},
    {"shutdown", (PyCFunction)shutdown_now, METH_VARARGS, "Cancels all jobs and stops the engine's threads."},
    FACTORY("check_value", check_value, "Converts a value to a schema and back."),
    {"value_check", value_check, METH_O, "A function that raises TypeMismatchError for a value that does not fit a schema."},
    FACTORY("transform", make_transform_remembered, "map, flat_map, filter and key selectors, in one crossing."),
    FACTORY("extract_timestamps", make_extract_timestamps_remembered, "extract(value, record_timestamp) -> milliseconds."),
    FACTORY("watermark_generator", make_watermark_generator_remembered, "(on_event, on_periodic_emit)."),
    FACTORY("partitioner", make_partitioner, "partition(key, number_of_partitions) -> channel."),
    FACTORY("reducer", make_reducer_remembered, "reduce(accumulated, value) -> accumulated."),
    FACTORY("aggregator", make_aggregator, "(create, add, get_result, merge)."),
    FACTORY("process", make_process_remembered, "A process function."),
    FACTORY("co_process", make_co_process_remembered, "A process function over connected streams."),
    FACTORY("window_process", make_window_process, "A window function."),
    FACTORY("asynchronous", make_asynchronous, "Rows that others are done with some time later."),
    FACTORY("source", make_source, "read(limit) -> values, seconds to wait, or None."),
    FACTORY("collection", make_collection, "A bounded source over a list."),
    FACTORY("sink", make_sink, "write(values), flush(end_of_input)."),
    {NULL, NULL, 0, NULL},
};

/* m_size 0 makes every interpreter call PyInit__native, which refuses all but the first. */
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "millstream._native", .m_doc = "The one door to libmillstream.", .m_size = 0, .m_methods = methods};

static int add_types(PyObject *module)
{
    static const struct {
        const char *name;
        PyTypeObject *type;
    } types[] = {{"RowBase", &RowBase_Type}, {"PerSubtask", &PerSubtask_Type}, {"Function", &Function_Type}, {"Environment", &Environment_Type}, {"Clock", &Clock_Type}, {"SQLSession", &SQLSession_Type},
        {"Job", &Job_Type}, {"CollectIterator", &CollectIterator_Type}, {"ArrowStream", &ArrowStream_Type}, {"Border", &Border_Type},
        {"BorderIterator", &BorderIterator_Type}, {"WindowElements", &WindowElements_Type}, {"Notifier", &Notifier_Type}, {"TypedValue", &TypedValue_Type}};
    for (size_t index = 0; index < sizeof types / sizeof *types; index++) {
        if (PyType_Ready(types[index].type) < 0 || PyModule_AddObject(module, types[index].name, Py_NewRef(types[index].type)) < 0) return -1;
    }
    if (PyType_Ready(&WindowElementsIterator_Type) < 0 || rows_prepare() < 0 || transform_add_types() < 0 || arrow_add_types() < 0 || plan_add_types(module) < 0) return -1;
    return process_add_types(module) < 0 || states_add_types(module) < 0 ? -1 : 0;
}

/* PyGILState, which the engine's threads enter by, belongs to the main interpreter alone. */
static bool is_main_interpreter(void)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) return true;
    PyErr_SetString(PyExc_ImportError, "millstream can only be imported in the main interpreter, not in a subinterpreter");
    return false;
}

PyMODINIT_FUNC PyInit__native(void)
{
    static bool is_initialised;
    if (!is_main_interpreter()) return NULL;
    if (millstream_abi_version() != MILLSTREAM_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError, "the extension was built for version %d of the engine's ABI, but libmillstream.so has %u", MILLSTREAM_ABI_VERSION,
            (unsigned)millstream_abi_version());
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    bool is_made = errors_add_to(module) && add_types(module) == 0 && PyModule_AddIntConstant(module, "ABI_VERSION", MILLSTREAM_ABI_VERSION) == 0;
    /* Imported twice (after a `del sys.modules`): the engine knows the first table. */
    if (is_made && !is_initialised) is_made = objects_register() == 0 && gate_add_to(module) == 0 && shutdown_register() == 0;
    if (is_made) {
        is_initialised = true;
        return module;
    }
    Py_DECREF(module);
    return NULL;
}
