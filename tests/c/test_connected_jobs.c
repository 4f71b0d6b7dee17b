/* Process functions over two connected streams: keyed on both sides, and keyed beside a broadcast stream; and what is refused. */
#include "jobs.h"

/* (number % 10, number) of first..last: the key stands first. */
static millstream_node pairs(int64_t first, int64_t last) {
    millstream_node project = -1;
    millstream_input input = input_from(sequence(first, last));
    millstream_expression *columns[] = {binary(MILLSTREAM_REMAINDER, column(0), integer(10)), column(0)};
    OK(millstream_project(environment, &input, (const millstream_expression *const *)columns, 2, &project, &error));
    millstream_expression_free(columns[0]);
    millstream_expression_free(columns[1]);
    return project;
}

static const int64_t *values_of(const struct ArrowArray *rows, int64_t child) {
    const struct ArrowArray *array = rows->children[child];
    return (const int64_t *)array->buffers[1] + array->offset;
}

static int32_t emit(const millstream_request *request, int64_t *out, int64_t count) {
    struct ArrowArray array = arrow_array(count, out, NULL), rows = arrow_rows(count, 1, &array);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

/* The first stream's rows add their number to the key's sum, the second's take theirs off; a timer at the end emits what is left. */
static int32_t balance(void *context, const millstream_request *request) {
    (void)context;
    millstream_value value = {0};
    if (request->struct_size < offsetof(millstream_request, input) + sizeof request->input) return 9;
    if (request->operation == MILLSTREAM_OPERATION_PROCESS) {
        if (request->columns->n_children != (request->input == 0 ? 2 : 3)) return 1;
        const int64_t *numbers = values_of(request->columns, request->input == 0 ? 1 : 0);
        for (int64_t row = 0; row < request->count; row++) {
            if (millstream_state_get(request->state, 0, row, &value, NULL)) return 2;
            int64_t old = value.kind == MILLSTREAM_VALUE_NULL ? 0 : value.as.integer;
            value = (millstream_value){.kind = MILLSTREAM_VALUE_INT64, .as.integer = old + (request->input == 0 ? numbers[row] : -numbers[row])};
            if (millstream_state_set(request->state, 0, row, &value, NULL)) return 3;
            if (millstream_timer_register(request->state, row, MILLSTREAM_EVENT_TIME_DOMAIN, 1000000, NULL)) return 4;
        }
        return 0;
    }
    if (request->operation != MILLSTREAM_OPERATION_TIMERS) return 0;
    int64_t *out = calloc((size_t)request->count, sizeof *out);
    for (int64_t timer = 0; timer < request->count; timer++) {
        if (millstream_state_get(request->state, 0, timer, &value, NULL)) return 5;
        out[timer] = value.as.integer;
    }
    return emit(request, out, request->count);
}

static millstream_function *function_of(const char *name, millstream_callback call) {
    millstream_function *function = NULL;
    millstream_function_options options = {.struct_size = sizeof options, .name = name, .call = call, .output_schema = "BIGINT"};
    OK(millstream_function_create(&options, &function, &error));
    return function;
}

/* What came before must come after: 1..1000 less 101..900 is left, in ten keys. */
static void keyed(void) {
    const int32_t key = 0, second_key = 1;
    int64_t count;
    start();
    OK(millstream_environment_configure(environment, "parallelism.default", "2", &error));
    millstream_node first = pairs(1, 1000), second = pairs(101, 900), triples, process = -1;
    /* The second stream has three columns, and the key in the middle. */
    millstream_input input = input_from(second);
    millstream_expression *columns[] = {column(1), column(0), integer(7)};
    OK(millstream_project(environment, &input, (const millstream_expression *const *)columns, 3, &triples, &error));
    for (int index = 0; index < 3; index++) millstream_expression_free(columns[index]);
    millstream_function *function = function_of("balance", balance);
    millstream_state_declaration declaration = {"sum", MILLSTREAM_STATE_VALUE, "BIGINT", NULL};
    millstream_input left = keyed_by(first, &key), right = keyed_by(triples, &second_key);
    OK(millstream_co_process(environment, &left, &right, function, &declaration, 1, &process, &error));
    millstream_function_free(function);
    char *json = NULL;
    OK(millstream_environment_plan_json(environment, &json, &error));
    CHECK(strstr(json, "\"ship_strategy\":\"HASH\",\"side\":\"first\"") && strstr(json, "\"ship_strategy\":\"HASH\",\"side\":\"second\""));
    millstream_string_free(json);
    millstream_node sink = collect(process);
    millstream_job *job = execute();
    CHECK(drain(job, sink, 0, &count) == 500500 - 400400);
    CHECK(count == 10);
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    stop(job);
}

/* Rows count into their key's state. A broadcast row puts itself into the broadcast state, and moves what all keys have counted into the list. */
static int32_t census(void *context, const millstream_request *request) {
    (void)context;
    millstream_value value = {0}, one = {.kind = MILLSTREAM_VALUE_INT64, .as.integer = 1};
    if (request->operation == MILLSTREAM_OPERATION_OPEN) return millstream_state_list_add(request->state, 2, 0, &one, NULL) ? 1 : 0;
    if (request->operation == MILLSTREAM_OPERATION_TIMERS) {
        /* What is left with the keys, and once per subtask (one is set by every key) what went into the list. */
        int64_t *out = calloc((size_t)request->count, sizeof *out), elements = 0, rules = 0;
        if (millstream_state_count(request->state, 2, 0, &elements, NULL) || millstream_state_count(request->state, 1, 0, &rules, NULL)) return 2;
        for (int64_t timer = 0; timer < request->count; timer++) {
            if (millstream_state_get(request->state, 0, timer, &value, NULL)) return 3;
            out[timer] = value.kind == MILLSTREAM_VALUE_NULL ? 0 : value.as.integer;
        }
        if (rules != 5) return 4;
        for (int64_t element = 0; element < elements; element++) {
            if (millstream_state_list_get(request->state, 2, 0, element, &value, NULL)) return 5;
            out[0] += value.as.integer;
        }
        if (millstream_state_clear(request->state, 2, 0, NULL)) return 6;
        return emit(request, out, request->count);
    }
    if (request->operation != MILLSTREAM_OPERATION_PROCESS) return 0;
    for (int64_t row = 0; request->input == 0 && row < request->count; row++) {
        if (millstream_state_get(request->state, 0, row, &value, NULL)) return 7;
        value = (millstream_value){.kind = MILLSTREAM_VALUE_INT64, .as.integer = value.kind == MILLSTREAM_VALUE_NULL ? 1 : value.as.integer + 1};
        if (millstream_state_set(request->state, 0, row, &value, NULL)) return 8;
        if (millstream_timer_register(request->state, row, MILLSTREAM_EVENT_TIME_DOMAIN, 1000, NULL)) return 9;
    }
    for (int64_t row = 0; request->input == 1 && row < request->count; row++) {
        millstream_value rule = {.kind = MILLSTREAM_VALUE_INT64, .as.integer = values_of(request->columns, 0)[row]};
        if (millstream_state_map_put(request->state, 1, row, &rule, &rule, NULL)) return 10;
        /* A broadcast row has no key. */
        if (millstream_state_get(request->state, 0, row, &value, NULL) != MILLSTREAM_INVALID_STATE) return 11;
        struct ArrowArray keys;
        struct ArrowSchema schema;
        int64_t first, count;
        if (millstream_state_select_keys(request->state, 0, &first, &count, &keys, &schema, NULL)) return 12;
        if (count > 0 && keys.length != count) return 13;
        for (int64_t key = 0; key < count; key++) {
            if (values_of(&keys, 0)[key] < 0 || values_of(&keys, 0)[key] > 9) return 14;
            if (millstream_state_get(request->state, 0, first + key, &value, NULL)) return 15;
            if (millstream_state_list_add(request->state, 2, 0, &value, NULL)) return 16;
            if (millstream_state_clear(request->state, 0, first + key, NULL)) return 17;
        }
        if (millstream_state_get(request->state, 0, first + count, &value, NULL) != MILLSTREAM_INVALID_ARGUMENT) return 18;
        if (keys.release) keys.release(&keys);
        if (schema.release) schema.release(&schema);
        if (millstream_state_select_keys(request->state, 1, &first, &count, NULL, NULL, NULL) != MILLSTREAM_INVALID_ARGUMENT) return 19;
    }
    return 0;
}

static void broadcast(void) {
    const int32_t key = 0;
    int64_t count;
    start();
    OK(millstream_environment_configure(environment, "parallelism.default", "2", &error));
    millstream_node first = pairs(1, 10000), rules = sequence(1, 5), process = -1;
    millstream_function *function = function_of("census", census);
    millstream_state_declaration declarations[] = {
        {"count", MILLSTREAM_STATE_VALUE, "BIGINT", NULL},
        {"rules", MILLSTREAM_STATE_BROADCAST, "BIGINT", "BIGINT"},
        {"count", MILLSTREAM_STATE_OPERATOR_LIST, "BIGINT", NULL},
    };
    millstream_input left = keyed_by(first, &key), right = input_from(rules);
    right.partitioning = MILLSTREAM_BROADCAST;
    OK(millstream_co_process(environment, &left, &right, function, declarations, 3, &process, &error));
    millstream_node sink = collect(process);
    millstream_job *job = execute();
    /* Every row counts once, wherever the broadcast rows came in between; and each subtask began with an element. */
    CHECK(drain(job, sink, 0, &count) == 10000 + 2);
    CHECK(count == 10);
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    millstream_function_free(function);
    stop(job);
}

static void refusals(void) {
    const int32_t key = 0, second_key = 1;
    start();
    millstream_node first = pairs(1, 10), second = pairs(1, 10), text = -1, node;
    millstream_expression *as_text = NULL, *number = column(0);
    OK(millstream_expression_cast(number, "STRING", &as_text, &error));
    millstream_input input = input_from(first);
    OK(millstream_project(environment, &input, (const millstream_expression *const *)&as_text, 1, &text, &error));
    millstream_expression_free(as_text);
    millstream_expression_free(number);
    millstream_function *function = function_of("balance", balance);
    millstream_state_declaration keyed_state = {"sum", MILLSTREAM_STATE_VALUE, "BIGINT", NULL};
    millstream_state_declaration rules = {"rules", MILLSTREAM_STATE_BROADCAST, "BIGINT", NULL};
    millstream_input left = keyed_by(first, &key), right = keyed_by(text, &key), plain = input_from(second);
    FAILS(MILLSTREAM_PLAN, "BIGINT and STRING", millstream_co_process(environment, &left, &right, function, NULL, 0, &node, &error));
    FAILS(MILLSTREAM_PLAN, "not keyed", millstream_co_process(environment, &left, &plain, function, &keyed_state, 1, &node, &error));
    FAILS(MILLSTREAM_PLAN, "not keyed", millstream_co_process(environment, &plain, &left, function, &keyed_state, 1, &node, &error));
    FAILS(MILLSTREAM_PLAN, "key_type", millstream_co_process(environment, &left, &plain, function, &rules, 1, &node, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_co_process(environment, &left, NULL, function, NULL, 0, &node, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_co_process(environment, NULL, &left, function, NULL, 0, &node, &error));
    FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_co_process(environment, &left, &plain, NULL, NULL, 0, &node, &error));
    FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_co_process(NULL, &left, &plain, function, NULL, 0, &node, &error));
    right = keyed_by(second, &second_key);
    OK(millstream_co_process(environment, &left, &right, function, &keyed_state, 1, &node, &error));
    plain.partitioning = MILLSTREAM_BROADCAST;
    OK(millstream_co_process(environment, &plain, &left, function, &keyed_state, 1, &node, &error));
    millstream_function_free(function);
    millstream_environment_free(environment);
    int64_t rows;
    FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_state_select_keys(NULL, 0, &rows, &rows, NULL, NULL, &error));
}

int main(void) {
    keyed();
    broadcast();
    refusals();
    return check_end();
}
