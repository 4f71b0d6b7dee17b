/* Keyed jobs end to end: rolling aggregates, keyed state and timers. */
#include "jobs.h"

static void keys(void) {
    int64_t count;
    start();
    OK(millstream_environment_configure(environment, "parallelism.default", "2", &error));
    millstream_node source = sequence(1, 1000), project, sums;
    millstream_input input = input_from(source);
    millstream_expression *columns[] = {binary(MILLSTREAM_REMAINDER, column(0), integer(10)), column(0)};
    OK(millstream_project(environment, &input, (const millstream_expression *const *)columns, 2, &project, &error));
    millstream_expression_free(columns[0]);
    millstream_expression_free(columns[1]);
    const int32_t key = 0;
    input = keyed_by(project, &key);
    OK(millstream_rolling(environment, &input, MILLSTREAM_ROLLING_MAX, 1, &sums, &error));
    millstream_node sink = collect(sums);
    millstream_job *job = execute();
    int64_t sum = drain(job, sink, 0, &count);
    CHECK(count == 1000);
    CHECK(sum == 100 * 45);
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    stop(job);
}

/* Counts the rows of each key in a value state, and emits the count at a timer of the end of time. */
static int32_t count_rows(void *context, const millstream_request *request) {
    (void)context;
    millstream_value value = {0};
    if (request->operation == MILLSTREAM_OPERATION_PROCESS) {
        for (int64_t row = 0; row < request->count; row++) {
            if (millstream_state_get(request->state, 0, row, &value, NULL)) return 1;
            int64_t old = value.kind == MILLSTREAM_VALUE_NULL ? 0 : value.as.integer;
            value = (millstream_value){.kind = MILLSTREAM_VALUE_INT64, .as.integer = old + 1};
            if (millstream_state_set(request->state, 0, row, &value, NULL)) return 2;
            if (millstream_timer_register(request->state, row, MILLSTREAM_EVENT_TIME_DOMAIN, 1000000, NULL)) return 3;
        }
        return 0;
    }
    if (request->operation != MILLSTREAM_OPERATION_TIMERS) return 0;
    int64_t *out = calloc((size_t)request->count, sizeof *out);
    for (int64_t timer = 0; timer < request->count; timer++) {
        if (millstream_state_get(request->state, 0, timer, &value, NULL)) return 4;
        out[timer] = value.as.integer;
    }
    struct ArrowArray array = arrow_array(request->count, out, NULL), rows = arrow_rows(request->count, 1, &array);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

static void state(void) {
    int64_t count;
    start();
    OK(millstream_environment_configure(environment, "parallelism.default", "2", &error));
    millstream_node source = sequence(0, 9999), project, process;
    millstream_input input = input_from(source);
    millstream_expression *columns[] = {binary(MILLSTREAM_REMAINDER, column(0), integer(100))};
    OK(millstream_project(environment, &input, (const millstream_expression *const *)columns, 1, &project, &error));
    millstream_expression_free(columns[0]);
    millstream_function *function = NULL;
    millstream_function_options options = {.struct_size = sizeof options, .name = "count", .call = count_rows, .output_schema = "BIGINT"};
    OK(millstream_function_create(&options, &function, &error));
    const int32_t key = 0;
    input = keyed_by(project, &key);
    millstream_state_declaration declaration = {"rows", MILLSTREAM_STATE_VALUE, "BIGINT", NULL};
    OK(millstream_process(environment, &input, function, &declaration, 1, &process, &error));
    millstream_input unkeyed = input_from(project);
    FAILS(MILLSTREAM_PLAN, "not keyed", millstream_process(environment, &unkeyed, function, &declaration, 1, &process, &error));
    millstream_function_free(function);
    millstream_node sink = collect(process);
    millstream_job *job = execute();
    CHECK(drain(job, sink, 0, &count) == 10000);
    CHECK(count == 100);
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    stop(job);
}

int main(void) {
    keys();
    state();
    return check_end();
}
