/* Operator state that functions declare while they are opened: of a source, a process function and a sink; and what is refused. */
#include "jobs.h"

static millstream_value number(int64_t integer) { return (millstream_value){.kind = MILLSTREAM_VALUE_INT64, .as.integer = integer}; }

/* The last element of a list is taken out: 0 if there is none. */
static int64_t take_last(millstream_state *state, int32_t index) {
    int64_t count = 0, kept[16];
    millstream_value value = {0};
    if (millstream_state_count(state, index, 0, &count, NULL) || count == 0 || count > 16) return 0;
    for (int64_t position = 0; position < count; position++) {
        if (millstream_state_list_get(state, index, 0, position, &value, NULL)) return 0;
        kept[position] = value.as.integer;
    }
    if (millstream_state_clear(state, index, 0, NULL)) return 0;
    for (int64_t position = 0; position < count - 1; position++) {
        value = number(kept[position]);
        if (millstream_state_list_add(state, index, 0, &value, NULL)) return 0;
    }
    return kept[count - 1];
}

static int32_t refused_in_open(millstream_state *state) {
    millstream_state_declaration keyed = {"k", MILLSTREAM_STATE_VALUE, "BIGINT", NULL}, other = {"left", MILLSTREAM_STATE_OPERATOR_LIST, "STRING", NULL},
                                 kind = {"left", MILLSTREAM_STATE_UNION_LIST, "BIGINT", NULL}, map = {"m", MILLSTREAM_STATE_BROADCAST, "BIGINT", NULL};
    int32_t index = -1;
    if (millstream_state_declare(state, &keyed, &index, NULL) != MILLSTREAM_INVALID_ARGUMENT) return 21;
    if (millstream_state_declare(state, &other, &index, NULL) != MILLSTREAM_INVALID_STATE) return 22;
    if (millstream_state_declare(state, &kind, &index, NULL) != MILLSTREAM_INVALID_STATE) return 23;
    if (millstream_state_declare(state, &map, &index, NULL) != MILLSTREAM_PLAN) return 24;
    if (millstream_state_declare(state, NULL, &index, NULL) != MILLSTREAM_INVALID_ARGUMENT) return 25;
    if (millstream_state_declare(state, &keyed, NULL, NULL) != MILLSTREAM_INVALID_ARGUMENT) return 26;
    return index == -1 ? 0 : 27;
}

/* Gives 5, 4, 3, 2, 1: what its operator state holds, taken from its end. */
static int32_t countdown(void *context, const millstream_request *request) {
    (void)context;
    millstream_state_declaration left = {"left", MILLSTREAM_STATE_OPERATOR_LIST, "BIGINT", NULL};
    int32_t index = -1, again = -1;
    if (request->operation == MILLSTREAM_OPERATION_OPEN) {
        if (millstream_state_declare(request->state, &left, &index, NULL) || index != 0) return 1;
        if (millstream_state_declare(request->state, &left, &again, NULL) || again != 0) return 2;
        for (int64_t value = 1; value <= 5; value++) {
            millstream_value element = number(value);
            if (millstream_state_list_add(request->state, 0, 0, &element, NULL)) return 3;
        }
        return refused_in_open(request->state);
    }
    if (request->operation != MILLSTREAM_OPERATION_READ) return 0;
    if (millstream_state_declare(request->state, &left, &index, NULL) != MILLSTREAM_INVALID_STATE) return 4;
    int64_t *value = malloc(sizeof *value);
    *value = take_last(request->state, 0);
    if (*value == 0) {
        free(value);
        millstream_response_end(request->response);
        return 0;
    }
    struct ArrowArray array = arrow_array(1, value, NULL), rows = arrow_rows(1, 1, &array);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

/* Declares its state in OPEN, behind one that its node declares, and emits with each row the sum so far. */
static int32_t running(void *context, const millstream_request *request) {
    (void)context;
    millstream_state_declaration sum = {"sum", MILLSTREAM_STATE_UNION_LIST, "BIGINT", NULL}, declared = {"declared", MILLSTREAM_STATE_OPERATOR_LIST, "BIGINT", NULL};
    int32_t index = -1;
    if (request->operation == MILLSTREAM_OPERATION_OPEN) {
        if (millstream_state_declare(request->state, &declared, &index, NULL) != MILLSTREAM_INVALID_STATE) return 1;
        return millstream_state_declare(request->state, &sum, &index, NULL) || index != 1 ? 2 : 0;
    }
    if (request->operation != MILLSTREAM_OPERATION_PROCESS) return 0;
    const struct ArrowArray *column = request->columns->children[0];
    const int64_t *values = (const int64_t *)column->buffers[1] + column->offset;
    int64_t *out = malloc(sizeof *out * (size_t)request->count);
    for (int64_t row = 0; row < request->count; row++) {
        millstream_value total = number(take_last(request->state, 1) + values[row]);
        out[row] = total.as.integer;
        if (millstream_state_list_add(request->state, 1, row, &total, NULL)) return 3;
    }
    int64_t count = 0;
    if (millstream_state_count(request->state, 2, 0, &count, NULL) != MILLSTREAM_INVALID_ARGUMENT) return 4;
    struct ArrowArray array = arrow_array(request->count, out, NULL), rows = arrow_rows(request->count, 1, &array);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

/* Keeps its rows in a broadcast map, and adds up what is in it at the end. */
static int32_t keep(void *context, const millstream_request *request) {
    millstream_state_declaration kept = {"kept", MILLSTREAM_STATE_BROADCAST, "BIGINT", "BIGINT"};
    int32_t index = -1;
    if (request->operation == MILLSTREAM_OPERATION_OPEN) return millstream_state_declare(request->state, &kept, &index, NULL) || index != 0 ? 1 : 0;
    if (request->operation == MILLSTREAM_OPERATION_WRITE) {
        const struct ArrowArray *column = request->columns->children[0];
        for (int64_t row = 0; row < request->count; row++) {
            millstream_value value = number(((const int64_t *)column->buffers[1])[column->offset + row]);
            if (millstream_state_map_put(request->state, 0, 0, &value, &value, NULL)) return 2;
            /* No keys and no timers. */
            if (millstream_timer_register(request->state, 0, MILLSTREAM_EVENT_TIME_DOMAIN, 1, NULL) == MILLSTREAM_OK) return 3;
        }
    }
    if (request->operation == MILLSTREAM_OPERATION_FLUSH) {
        int64_t count = 0;
        if (millstream_state_count(request->state, 0, 0, &count, NULL)) return 4;
        for (int64_t position = 0; position < count; position++) {
            millstream_value key = {0}, value = {0};
            if (millstream_state_map_entry(request->state, 0, 0, position, &key, &value, NULL)) return 5;
            *(int64_t *)context += value.as.integer;
        }
    }
    return 0;
}

int main(void) {
    int64_t total = 0;
    millstream_node source = -1, process = -1, sink = -1;
    millstream_function_options options = {.struct_size = sizeof options, .name = "countdown", .call = countdown, .output_schema = "BIGINT"};
    millstream_function *function = NULL;
    millstream_state_declaration declared = {"declared", MILLSTREAM_STATE_OPERATOR_LIST, "BIGINT", NULL};
    start();
    OK(millstream_function_create(&options, &function, &error));
    OK(millstream_source_function(environment, function, 1, NULL, &source, &error));
    millstream_function_free(function);
    options = (millstream_function_options){.struct_size = sizeof options, .name = "running", .call = running, .output_schema = "BIGINT"};
    OK(millstream_function_create(&options, &function, &error));
    millstream_input input = input_from(source);
    OK(millstream_process(environment, &input, function, &declared, 1, &process, &error));
    millstream_function_free(function);
    options = (millstream_function_options){.struct_size = sizeof options, .name = "keep", .call = keep, .context = &total};
    OK(millstream_function_create(&options, &function, &error));
    input = input_from(process);
    OK(millstream_sink_function(environment, &input, function, &sink, &error));
    millstream_function_free(function);
    millstream_job *job = execute();
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    CHECK(total == 5 + 9 + 12 + 14 + 15);
    millstream_error *failure = NULL;
    OK(millstream_job_failure(job, &failure, &error));
    if (failure) fprintf(stderr, "%s\n", millstream_error_message(failure));
    millstream_error_free(failure);
    stop(job);
    FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_state_declare(NULL, &declared, (int32_t[]){0}, &error));
    return check_end();
}
