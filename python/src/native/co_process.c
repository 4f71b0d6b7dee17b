/* PROCESS and TIMERS over connected streams: a loop for each input and one for timers, of which the request says which one runs. */
#include "errors.h"
#include "kinds.h"
#include "process.h"

/* make() gives (process_element1, process_element2, on_timer or None, their contexts or None each). */
enum { PLACE_FIRST, PLACE_SECOND, PLACE_TIMER, PLACE_CONTEXTS, PLACE_COUNT = 2 * PLACE_CONTEXTS };

static int make_loop(Host *host, int place)
{
    PyObject *callable = stage_callable(&host->stages[0], place), *context = stage_callable(&host->stages[0], PLACE_CONTEXTS + place);
    if (callable == NULL) return PyErr_SetString(PyExc_TypeError, "a method for the elements of an input is missing"), -1;
    return process_make_loop(host, "v0", "f0(v0, context)", callable, context);
}

static PyObject *take_loop(Host *host)
{
    PyObject *function = host->function;
    host->function = NULL;
    return function;
}

static RowsStep step_for(const Schema *schema)
{
    return schema->type->kind == TYPE_BIGINT ? step_integer : schema->type->kind == TYPE_OBJECT ? step_object : step_value;
}

static int co_process_prepare(Host *host)
{
    if (process_prepare_common(host, NULL) < 0 || row_reader_make(&host->other_reader, host->second_input) < 0) return -1;
    host->other_step = step_for(host->second_input);
    if (stage_callable(&host->stages[0], PLACE_TIMER) != NULL) {
        if (make_loop(host, PLACE_TIMER) < 0) return -1;
        host->timer_function = take_loop(host);
    }
    if (make_loop(host, PLACE_SECOND) < 0) return -1;
    host->other_function = take_loop(host);
    return make_loop(host, PLACE_FIRST);
}

#define SWAP(type, first, second)                                                                                                                      \
    do {                                                                                                                                               \
        type kept = first;                                                                                                                             \
        first = second;                                                                                                                                \
        second = kept;                                                                                                                                 \
    } while (0)

/* Puts the loop, the reader and the record count of an input into the places where the host looks for them. */
static void select_input(Host *host, int input)
{
    if (host->input_index == input) return;
    host->input_index = input;
    SWAP(PyObject *, host->function, host->other_function);
    SWAP(RowReader, host->reader, host->other_reader);
    SWAP(int64_t, host->record_count, host->other_record_count);
    SWAP(RowsStep, host->rows->step, host->other_step);
}

static int co_process_call(Host *host, const millstream_request *request)
{
    bool is_timer = request->operation == MILLSTREAM_OPERATION_TIMERS;
    if (request->operation == MILLSTREAM_OPERATION_SNAPSHOT) return process_snapshot(host, request);
    if (is_timer && host->timer_function == NULL) return 0;
    if (!is_timer) {
        select_input(host, request->input == 0 ? 0 : 1);
        if (row_reader_bind(&host->reader, request->columns, request->schema) < 0) return -1;
    }
    if (host->keys != NULL && request->keys != NULL && row_reader_bind(&host->second_reader, request->keys, request->key_schema) < 0) return -1;
    ContextObject *context = (ContextObject *)host->context;
    context->request = request;
    RowsStep step = host->rows->step;
    if (is_timer) {
        host->rows->step = process_step_timer;
        SWAP(PyObject *, host->function, host->timer_function);
    }
    int status = process_run(host, request);
    if (is_timer) {
        host->rows->step = step;
        /* After a failure the loop stays for the report, which reads its frame. */
        if (status >= 0) SWAP(PyObject *, host->function, host->timer_function);
    }
    context->request = NULL;
    rows_end(host->rows);
    return status;
}

static const HostKind co_process_kind = {
    .prepare = co_process_prepare, .call = co_process_call, .clear = process_clear, .set_request = process_set_request};

PyObject *make_co_process(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {
        "make", "schema1", "schema2", "output_schema", "name", "key_schema", "side_outputs", "describe", "context", NULL};
    PyObject *make, *first, *second, *output, *name, *keys = Py_None, *sides = Py_None, *describe = Py_None, *context = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUUUU|$OOOO:co_process", names, &make, &first, &second, &output, &name, &keys, &sides,
            &describe, &context)) return NULL;
    Host *host = process_make_host(&co_process_kind, make, first, output, name, keys == Py_None ? NULL : keys, sides == Py_None ? NULL : sides,
        describe == Py_None ? NULL : describe, context == Py_None ? NULL : context, &Context_Type);
    if (host == NULL) return NULL;
    host->second_input = schema_from_object(second);
    if (host->second_input != NULL) return function_wrap(host);
    host_free(host);
    return NULL;
}
