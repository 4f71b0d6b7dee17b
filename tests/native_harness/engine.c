/* A stand-in for the engine's side of host functions, so that the extension's callbacks can be driven one request at a time from Python tests. Loaded
 * with RTLD_GLOBAL before the extension, its symbols win over libmillstream.so's. Built by native_engine.py. */
#include <stdlib.h>
#include <string.h>

#include "millstream.h"

#define EMISSION_LIMIT 64
#define PAYLOAD_LIMIT 64

struct millstream_function {
    millstream_function_options options;
    char *output_schema;
};

typedef struct Emission {
    char tag[64];
    int is_side;
    struct ArrowArray array;
    int32_t *parents;
    uint64_t *hashes;
} Emission;

struct millstream_response {
    int64_t request_count;
    int emission_count;
    Emission emissions[EMISSION_LIMIT];
    struct ArrowArray accumulators;
    int64_t resumption;
    int is_end;
    int64_t wait;
    int64_t integers[16];
    int integer_count;
    millstream_bytes payloads[PAYLOAD_LIMIT];
    int payload_count;
    int outcomes[PAYLOAD_LIMIT];
    char reasons[PAYLOAD_LIMIT][256];
    int outcome_count;
    int status;
    int64_t failed_row;
    char message[4096];
    void *exception;
};

static millstream_function *last_function;
static millstream_response response;

static char *copy(const char *text) { return text == NULL ? NULL : strdup(text); }

millstream_status millstream_function_create(const millstream_function_options *options, millstream_function **function, millstream_error **error)
{
    (void)error;
    millstream_function *made = calloc(1, sizeof *made);
    made->options = *options;
    made->output_schema = copy(options->output_schema);
    *function = last_function = made;
    return MILLSTREAM_OK;
}

void millstream_function_free(millstream_function *function)
{
    if (function == NULL) return;
    function->options.release(function->options.context);
    free(function->output_schema);
    free(function);
}

millstream_status millstream_response_emit(millstream_response *target, const char *side_output, struct ArrowArray *columns, const int32_t *parents,
    const int64_t *timestamps, const uint64_t *key_hashes, millstream_error **error)
{
    (void)timestamps, (void)error;
    Emission *emission = &target->emissions[target->emission_count++];
    emission->is_side = side_output != NULL;
    strncpy(emission->tag, side_output == NULL ? "" : side_output, sizeof emission->tag - 1);
    emission->array = *columns;
    columns->release = NULL;
    size_t count = (size_t)emission->array.length;
    emission->parents = NULL;
    emission->hashes = NULL;
    if (parents != NULL) emission->parents = memcpy(malloc(count * 4 + 1), parents, count * 4);
    if (key_hashes != NULL) emission->hashes = memcpy(malloc(count * 8 + 1), key_hashes, count * 8);
    return MILLSTREAM_OK;
}

millstream_status millstream_response_accumulators(millstream_response *target, struct ArrowArray *accumulators, millstream_error **error)
{
    (void)error;
    target->accumulators = *accumulators;
    accumulators->release = NULL;
    return MILLSTREAM_OK;
}

void millstream_response_resume(millstream_response *target, int64_t resumption) { target->resumption = resumption; }
int32_t millstream_response_is_cancelled(const millstream_response *target) { return target == NULL; }
void millstream_response_end(millstream_response *target) { target->is_end = 1; }
void millstream_response_wait(millstream_response *target, int64_t milliseconds) { target->wait = milliseconds; }
void millstream_response_integer(millstream_response *target, int64_t value) { target->integers[target->integer_count++] = value; }

void millstream_response_payload(millstream_response *target, const uint8_t *bytes, int64_t length)
{
    void *kept = memcpy(malloc((size_t)length + 1), bytes, (size_t)length);
    target->payloads[target->payload_count++] = (millstream_bytes){kept, length};
}

void millstream_response_outcome(millstream_response *target, millstream_commit_outcome outcome, const char *message)
{
    strncpy(target->reasons[target->outcome_count], message == NULL ? "" : message, 255);
    target->outcomes[target->outcome_count++] = (int)outcome;
}

void millstream_response_fail(millstream_response *target, millstream_status status, const char *message, int64_t row, void *exception)
{
    target->status = (int)status;
    target->failed_row = row;
    strncpy(target->message, message == NULL ? "" : message, sizeof target->message - 1);
    target->exception = exception;
}

/* ---- For the tests, by ctypes ---- */

#define PUBLIC __attribute__((visibility("default")))

PUBLIC millstream_function *harness_last_function(void) { return last_function; }
PUBLIC void *harness_instantiate(millstream_function *function) { return function->options.instantiate(function->options.context); }
PUBLIC void harness_release(millstream_function *function, void *context) { function->options.release(context); }

/* The fused function, or NULL. */
PUBLIC millstream_function *harness_fuse(millstream_function *first, millstream_function *second)
{
    millstream_function *joined = calloc(1, sizeof *joined);
    if (first->options.fuse == NULL || !first->options.fuse(first->options.context, second->options.context, &joined->options)) return free(joined), NULL;
    joined->output_schema = copy(joined->options.output_schema);
    return joined;
}

PUBLIC int32_t harness_call(millstream_function *function, void *instance, millstream_request *request)
{
    memset(&response, 0, sizeof response);
    response.failed_row = -2;
    request->response = &response;
    request->struct_size = sizeof *request;
    return function->options.call(instance, request);
}

PUBLIC int harness_emission_count(void) { return response.emission_count; }
PUBLIC struct ArrowArray *harness_emission(int index) { return &response.emissions[index].array; }
PUBLIC const char *harness_emission_tag(int index) { return response.emissions[index].is_side ? response.emissions[index].tag : NULL; }
PUBLIC int32_t *harness_emission_parents(int index) { return response.emissions[index].parents; }
PUBLIC uint64_t *harness_emission_hashes(int index) { return response.emissions[index].hashes; }
PUBLIC struct ArrowArray *harness_accumulators(void) { return &response.accumulators; }
PUBLIC int64_t harness_resumption(void) { return response.resumption; }
PUBLIC int harness_is_end(void) { return response.is_end; }
PUBLIC int64_t harness_wait(void) { return response.wait; }
PUBLIC int harness_integer_count(void) { return response.integer_count; }
PUBLIC int64_t harness_integer(int index) { return response.integers[index]; }
PUBLIC int harness_payload_count(void) { return response.payload_count; }
PUBLIC const void *harness_payload(int index) { return response.payloads[index].bytes; }
PUBLIC int64_t harness_payload_length(int index) { return response.payloads[index].length; }
PUBLIC int harness_outcome_count(void) { return response.outcome_count; }
PUBLIC int harness_outcome(int index) { return response.outcomes[index]; }
PUBLIC const char *harness_reason(int index) { return response.reasons[index]; }
PUBLIC uint32_t harness_capabilities(millstream_function *function) { return function->options.capabilities; }
PUBLIC int harness_status(void) { return response.status; }
PUBLIC int64_t harness_failed_row(void) { return response.failed_row; }
PUBLIC const char *harness_message(void) { return response.message; }
PUBLIC void *harness_exception(void) { return response.exception; }

PUBLIC void harness_drop(void)
{
    for (int index = 0; index < response.emission_count; index++) {
        Emission *emission = &response.emissions[index];
        if (emission->array.release != NULL) emission->array.release(&emission->array);
        free(emission->parents);
        free(emission->hashes);
    }
    for (int index = 0; index < response.payload_count; index++) free((void *)response.payloads[index].bytes);
    if (response.accumulators.release != NULL) response.accumulators.release(&response.accumulators);
    memset(&response, 0, sizeof response);
}
