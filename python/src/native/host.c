/* The life of a host function: prototype, instance per subtask, calls, and what happens when the user's code fails. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "gate.h"

/* ---- Prototypes ---- */

/* A reference; only set while a job is built. */
static _Thread_local PyObject *call_site;

PyObject *set_call_site(PyObject *module, PyObject *place)
{
    (void)module;
    if (place != Py_None && !PyUnicode_Check(place)) return PyErr_Format(PyExc_TypeError, "a call site is a str or None");
    Py_XSETREF(call_site, place == Py_None ? NULL : Py_NewRef(place));
    Py_RETURN_NONE;
}

Host *host_new(const HostKind *kind, int stage_count, PyObject *name)
{
    Host *host = calloc(1, sizeof *host);
    if (host != NULL) host->stages = calloc((size_t)(stage_count == 0 ? 1 : stage_count), sizeof(Stage));
    if (host == NULL || host->stages == NULL) {
        free(host);
        return (Host *)PyErr_NoMemory();
    }
    host->kind = kind;
    host->stage_count = stage_count;
    host->name = Py_XNewRef(name);
    host->call_site = Py_XNewRef(call_site);
    host->key_types = &host->own_key_types;
    host->failed_row = host->failed_stage = -1;
    return host;
}

void host_free(Host *host)
{
    if (host == NULL) return;
    if (host->kind->clear != NULL && host->is_instance) host->kind->clear(host);
    for (int index = 0; index < host->stage_count; index++) {
        Stage *stage = &host->stages[index];
        Py_XDECREF(stage->source);
        Py_XDECREF(stage->name);
        Py_XDECREF(stage->call_site);
        Py_XDECREF(stage->callables);
        Py_XDECREF(stage->open);
        Py_XDECREF(stage->close);
        schema_release(stage->schema);
    }
    direct_free(host);
    Py_XDECREF(host->failed_value);
    free(host->stages);
    Py_XDECREF(host->generator);
    Py_XDECREF(host->function);
    Py_XDECREF(host->rows);
    Py_XDECREF(host->out);
    Py_XDECREF(host->key_list);
    Py_XDECREF(host->context);
    Py_XDECREF(host->side_outputs);
    Py_XDECREF(host->extra);
    Py_XDECREF(host->second_extra);
    Py_XDECREF(host->third_extra);
    Py_XDECREF(host->timer_function);
    Py_XDECREF(host->other_function);
    row_reader_free(&host->other_reader);
    Py_XDECREF(host->name);
    Py_XDECREF(host->call_site);
    free(host->line_stages);
    row_reader_free(&host->reader);
    row_reader_free(&host->second_reader);
    if (host->builder.columns != NULL) row_builder_free(&host->builder);
    if (host->second_builder.columns != NULL) row_builder_free(&host->second_builder);
    schema_release(host->input);
    schema_release(host->second_input);
    schema_release(host->output);
    schema_release(host->keys);
    schema_release(host->accumulator);
    free(host);
}

static bool is_callables(PyObject *source, int count)
{
    if (count <= 1) return PyCallable_Check(source);
    if (!PyTuple_Check(source) || PyTuple_GET_SIZE(source) != count) return false;
    for (int index = 0; index < count; index++) {
        PyObject *one = PyTuple_GET_ITEM(source, index);
        if (one != Py_None && !PyCallable_Check(one)) return false;
    }
    return true;
}

int host_set_stage(Host *host, int index, StageKind kind, PyObject *source, PyObject *name, Schema *schema, int count)
{
    Stage *stage = &host->stages[index];
    stage->kind = kind;
    stage->source = Py_NewRef(source);
    stage->name = Py_NewRef(name);
    stage->call_site = Py_XNewRef(call_site);
    stage->schema = schema_retain(schema);
    if (Py_TYPE(source) == &PerSubtask_Type || is_callables(source, count)) return 0;
    PyObject *shown = error_representation(source);
    PyErr_Format(PyExc_TypeError, "'%U' needs a function, but got %V (%.100s)", name, shown, "?", Py_TYPE(source)->tp_name);
    Py_XDECREF(shown);
    return -1;
}

PyObject *stage_callable(const Stage *stage, int place)
{
    PyObject *callables = stage->callables;
    if (callables == NULL) return NULL;
    if (!PyTuple_Check(callables)) return place == 0 ? callables : NULL;
    if (place >= PyTuple_GET_SIZE(callables)) return NULL;
    PyObject *callable = PyTuple_GET_ITEM(callables, place);
    return callable == Py_None ? NULL : callable;
}

static void copy_stage(Stage *target, const Stage *source)
{
    memset(target, 0, sizeof *target);
    target->kind = source->kind;
    target->source = Py_NewRef(source->source);
    target->name = Py_NewRef(source->name);
    target->call_site = Py_XNewRef(source->call_site);
    target->schema = schema_retain(source->schema);
}

static Host *host_copy(const Host *host)
{
    Host *copy = host_new(host->kind, host->stage_count, host->name);
    if (copy == NULL) return NULL;
    Py_XSETREF(copy->call_site, Py_XNewRef(host->call_site));
    for (int index = 0; index < host->stage_count; index++) copy_stage(&copy->stages[index], &host->stages[index]);
    copy->input = schema_retain(host->input);
    copy->second_input = schema_retain(host->second_input);
    copy->output = schema_retain(host->output);
    copy->keys = schema_retain(host->keys);
    copy->accumulator = schema_retain(host->accumulator);
    copy->side_outputs = Py_XNewRef(host->side_outputs);
    copy->extra = Py_XNewRef(host->extra);
    copy->second_extra = Py_XNewRef(host->second_extra);
    copy->third_extra = Py_XNewRef(host->third_extra);
    copy->capabilities = host->capabilities;
    copy->key_types = host->key_types;
    return copy;
}

/* ---- Instances ---- */

/* (callables, open, close) of a PerSubtask. */
static int take_made(Stage *stage, PyObject *made)
{
    if (!PyTuple_Check(made) || PyTuple_GET_SIZE(made) != 3) {
        PyErr_SetString(PyExc_TypeError, "make() gives (callables, open, close)");
        return -1;
    }
    PyObject *callables = PyTuple_GET_ITEM(made, 0), *open = PyTuple_GET_ITEM(made, 1), *close = PyTuple_GET_ITEM(made, 2);
    if (!PyTuple_Check(callables) && !PyCallable_Check(callables)) {
        PyErr_Format(PyExc_TypeError, "'%U' needs a function, but got one of type %.100s", stage->name, Py_TYPE(callables)->tp_name);
        return -1;
    }
    Py_XSETREF(stage->callables, Py_NewRef(callables));
    if (open != Py_None) Py_XSETREF(stage->open, Py_NewRef(open));
    if (close != Py_None) Py_XSETREF(stage->close, Py_NewRef(close));
    return 0;
}

static int make_callables(Host *host, int index)
{
    Stage *stage = &host->stages[index];
    if (Py_TYPE(stage->source) != &PerSubtask_Type && host->context == NULL) {
        stage->callables = Py_NewRef(stage->source);
        return 0;
    }
    host->failed_stage = index;
    PyObject *make = Py_TYPE(stage->source) == &PerSubtask_Type ? per_subtask_make(stage->source) : stage->source;
    PyObject *made = host->context == NULL ? PyObject_CallNoArgs(make) : PyObject_CallOneArg(make, host->context);
    int status = made == NULL ? -1 : take_made(stage, made);
    Py_XDECREF(made);
    if (status == 0) host->failed_stage = -1;
    return status;
}

/* What can fail is done at the first call, where a failure has somebody to go to. */
static int host_prepare(Host *host)
{
    if (host->is_prepared) return 0;
    /* Contexts are made first: process functions are made with them. */
    if (host->kind->prepare != NULL && host->extra != NULL && host->context == NULL) {
        host->context = PyObject_CallNoArgs(host->extra);
        if (host->context == NULL) return -1;
    }
    for (int index = 0; index < host->stage_count; index++) {
        if (make_callables(host, index) < 0) return -1;
    }
    if (host->kind->prepare != NULL && host->kind->prepare(host) < 0) return -1;
    host->is_prepared = true;
    return 0;
}

static int host_open(Host *host, const millstream_request *request)
{
    long long numbers[3] = {0, 1, 128};
    for (int index = 0; index < 3 && index < request->integer_count; index++) numbers[index] = request->integers[index];
    host->is_open = true;
    /* The number of the checkpoint that the job goes on from, for contexts of functions that may have state. */
    if (request->integer_count > 3 && host->context != NULL && host->kind->set_request != NULL) {
        PyObject *number = PyLong_FromLongLong(request->integers[3]);
        int status = number == NULL ? -1 : PyObject_SetAttrString(host->context, "restored_checkpoint_id", number);
        Py_XDECREF(number);
        if (status < 0) return -1;
    }
    for (int index = 0; index < host->stage_count; index++) {
        if (host->stages[index].open == NULL) continue;
        host->failed_stage = index;
        PyObject *result = PyObject_CallFunction(host->stages[index].open, "LLL", numbers[0], numbers[1], numbers[2]);
        if (result == NULL) return -1;
        Py_DECREF(result);
    }
    host->failed_stage = -1;
    return 0;
}

/* All stages are closed, whatever the first failure was. */
static int host_close(Host *host)
{
    if (!host->is_open) return 0;
    host->is_open = false;
    Py_CLEAR(host->generator);
    PyObject *failure = NULL;
    int failed_stage = -1;
    for (int index = 0; index < host->stage_count; index++) {
        PyObject *close = host->stages[index].close;
        PyObject *result = close == NULL ? NULL : PyObject_CallNoArgs(close);
        if (close == NULL) continue;
        if (result == NULL) {
            PyObject *later = error_take();
            if (failure == NULL) {
                failure = later;
                failed_stage = index;
            } else if (later != NULL) {
                PyObject *note = PyUnicode_FromFormat("suppressed: in operator '%U', %.200s: %S", host->stages[index].name, Py_TYPE(later)->tp_name, later);
                if (note != NULL) error_add_note(failure, note);
                Py_XDECREF(note);
                Py_DECREF(later);
            }
        }
        PyErr_Clear();
        Py_XDECREF(result);
    }
    if (failure == NULL) return 0;
    error_restore(failure);
    host->failed_stage = failed_stage;
    host->failed_row = -1;
    return -1;
}

/* ---- What the engine calls ---- */

static int host_dispatch(Host *host, const millstream_request *request)
{
    if (request->operation == MILLSTREAM_OPERATION_CLOSE) return host_close(host);
    if (host_prepare(host) < 0) return -1;
    if (request->operation == MILLSTREAM_OPERATION_OPEN) {
        if (host->kind->set_request != NULL) host->kind->set_request(host, request);
        int status = host_open(host, request);
        if (host->kind->set_request != NULL) host->kind->set_request(host, NULL);
        return status;
    }
    host->failed_row = host->failed_stage = -1;
    int status = host->kind->call(host, request);
    bool has_rows = request->operation != MILLSTREAM_OPERATION_TIMERS && request->operation != MILLSTREAM_OPERATION_ASYNC_POLL;
    if (status == 0 && has_rows) host->record_count += request->count;
    return status < 0 ? -1 : 0;
}

/* The calls that run now, the newest first; with the GIL. */
typedef struct Call {
    const Host *host;
    unsigned long thread;
    struct Call *newer;
    struct Call *older;
} Call;

static Call *newest_call;

static void call_begin(Call *call, const Host *host)
{
    *call = (Call){.host = host, .thread = PyThread_get_thread_ident(), .older = newest_call};
    if (newest_call != NULL) newest_call->newer = call;
    newest_call = call;
}

static void call_end(Call *call)
{
    if (call->older != NULL) call->older->newer = call->newer;
    if (call->newer != NULL) call->newer->older = call->older;
    else newest_call = call->older;
}

PyObject *host_describe_running(void)
{
    Call *oldest = newest_call;
    while (oldest != NULL && oldest->older != NULL) oldest = oldest->older;
    if (oldest == NULL) return NULL;
    /* What is asked for may let others run. */
    PyObject *name = Py_NewRef(oldest->host->name), *site = Py_XNewRef(oldest->host->stage_count > 0 ? oldest->host->stages[0].call_site : oldest->host->call_site);
    PyObject *module = PyImport_ImportModule("millstream._tracebacks");
    PyObject *place = module == NULL ? NULL : PyObject_CallMethod(module, "place_in_thread", "k", oldest->thread);
    PyErr_Clear();
    PyObject *text = place != NULL && PyUnicode_Check(place) ? PyUnicode_FromFormat("operator '%U' is in %U", name, place)
                   : site != NULL                            ? PyUnicode_FromFormat("operator '%U' (%U) does not return", name, site)
                                                             : PyUnicode_FromFormat("operator '%U' does not return", name);
    PyErr_Clear();
    Py_XDECREF(place);
    Py_XDECREF(module);
    Py_XDECREF(site);
    Py_DECREF(name);
    return text;
}

static int32_t host_callback(void *context, const millstream_request *request)
{
    PyGILState_STATE state;
    if (!gate_enter(&state)) {
        if (request->operation == MILLSTREAM_OPERATION_CLOSE) return 0;
        millstream_response_fail(request->response, MILLSTREAM_CANCELLED, "the Python interpreter is exiting", -1, NULL);
        return 1;
    }
    objects_drain();
    Call call;
    call_begin(&call, context);
    int status = host_dispatch(context, request);
    if (status < 0) host_report(context, request);
    call_end(&call);
    gate_leave(state);
    return status < 0 ? 1 : 0;
}

static void free_later(void *host) { host_free(host); }

/* Never waits for the GIL: the engine may hold locks. */
static void host_release(void *context) { objects_defer(free_later, context); }

static void *host_instantiate(void *context)
{
    PyGILState_STATE state;
    if (!gate_enter(&state)) return NULL;
    Host *host = host_copy(context);
    if (host != NULL) host->is_instance = true;
    PyErr_Clear();
    gate_leave(state);
    return host;
}

static void fill_options(Host *host, millstream_function_options *options);

static bool is_chain_too_long(const Host *first, const Host *second)
{
    int expansions = 0;
    for (int index = 0; index < first->stage_count; index++) expansions += first->stages[index].kind == STAGE_FLAT_MAP;
    for (int index = 0; index < second->stage_count; index++) expansions += second->stages[index].kind == STAGE_FLAT_MAP;
    return first->stage_count + second->stage_count > CHAIN_STAGE_LIMIT || expansions > CHAIN_EXPANSION_LIMIT;
}

static int32_t host_fuse(void *first_context, void *second_context, millstream_function_options *joined)
{
    Host *first = first_context, *second = second_context;
    bool is_chain = first->kind->is_fusable && first->kind == second->kind && first->keys == NULL;
    /* Behind a reduction: what its running results go through at once, without becoming columns in between. */
    bool is_tail = first->kind->takes_transforms && second->kind->is_fusable && second->output != NULL && second->keys == NULL && direct_fits(second, 0);
    if (!(is_chain || is_tail) || is_chain_too_long(first, second)) return 0;
    PyGILState_STATE state;
    if (!gate_enter(&state)) return 0;
    PyObject *name = PyUnicode_FromFormat("%U -> %U", first->name, second->name);
    Host *host = name == NULL ? NULL : host_new(first->kind, first->stage_count + second->stage_count, name);
    Py_XDECREF(name);
    if (host != NULL) {
        for (int index = 0; index < host->stage_count; index++) {
            copy_stage(&host->stages[index], index < first->stage_count ? &first->stages[index] : &second->stages[index - first->stage_count]);
        }
        host->input = schema_retain(first->input);
        /* A key selector passes its rows on. */
        host->output = schema_retain(second->output != NULL ? second->output : first->output);
        host->keys = schema_retain(second->keys);
        host->accumulator = schema_retain(first->accumulator);
        host->third_extra = Py_XNewRef(first->third_extra);
        fill_options(host, joined);
    }
    PyErr_Clear();
    gate_leave(state);
    return host != NULL;
}

static void fill_options(Host *host, millstream_function_options *options)
{
    *options = (millstream_function_options){
        .struct_size = sizeof *options,
        .name = PyUnicode_AsUTF8(host->name),
        .context = host,
        .call = host_callback,
        .release = host_release,
        .instantiate = host_instantiate,
        .fuse = host->kind->is_fusable || host->kind->takes_transforms ? host_fuse : NULL,
        .output_schema = host->output == NULL ? NULL : schema_text(host->output),
        .accumulator_schema = host->accumulator == NULL ? NULL : schema_text(host->accumulator),
        .key_schema = host->keys == NULL || !host->kind->is_fusable ? NULL : schema_text(host->keys),
        .capabilities = host->capabilities,
    };
}

/* ---- Function ---- */

typedef struct FunctionObject {
    PyObject_HEAD
    millstream_function *handle;
    PyObject *name;
    PyObject *recipe;
} FunctionObject;

static void function_dealloc(FunctionObject *self)
{
    if (self->handle != NULL && gate_is_usable()) millstream_function_free(self->handle);
    Py_XDECREF(self->name);
    Py_XDECREF(self->recipe);
    objects_drain();
    PyObject_Free(self);
}

static PyObject *function_get_name(FunctionObject *self, void *unused)
{
    (void)unused;
    return Py_NewRef(self->name);
}

static PyObject *function_get_recipe(FunctionObject *self, void *unused)
{
    (void)unused;
    return Py_NewRef(self->recipe == NULL ? Py_None : self->recipe);
}

static PyGetSetDef function_attributes[] = {{"name", (getter)function_get_name, NULL, "The operator's name.", NULL},
    {"recipe", (getter)function_get_recipe, NULL, "What it was made of: the factory's name, its arguments and keywords.", NULL}, {NULL, NULL, NULL, NULL, NULL}};

PyTypeObject Function_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Function",
    .tp_doc = "A host function, ready to be given to nodes. Nodes keep it alive.",
    .tp_basicsize = sizeof(FunctionObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)function_dealloc,
    .tp_getset = function_attributes,
};

PyObject *function_wrap(Host *host)
{
    if (host == NULL) return NULL;
    FunctionObject *self = gate_check() ? PyObject_New(FunctionObject, &Function_Type) : NULL;
    if (self == NULL) {
        host_free(host);
        return NULL;
    }
    self->handle = NULL;
    self->name = Py_NewRef(host->name);
    self->recipe = NULL;
    millstream_function_options options;
    fill_options(host, &options);
    millstream_error *error = NULL;
    millstream_status status = millstream_function_create(&options, &self->handle, &error);
    if (status == MILLSTREAM_OK) return (PyObject *)self;
    self->handle = NULL;
    Py_DECREF(self);
    host_free(host);
    return error_raise_engine(status, error);
}

PyObject *function_remember(PyObject *function, const char *factory, PyObject *arguments, PyObject *keywords)
{
    if (function == NULL || Py_TYPE(function) != &Function_Type) return function;
    PyObject *recipe = keywords == NULL ? Py_BuildValue("(sO{})", factory, arguments) : Py_BuildValue("(sOO)", factory, arguments, keywords);
    if (recipe == NULL) return Py_DECREF(function), NULL;
    Py_XSETREF(((FunctionObject *)function)->recipe, recipe);
    return function;
}

millstream_function *function_handle(PyObject *function) { return ((FunctionObject *)function)->handle; }
