/* A clock that only the program moves: a job's processing-time timers follow it. */
#include "jobs.h"

/* Gives the numbers that the program puts there, one at a time; never ends by itself. */
static _Atomic int64_t next_number;

static int32_t feed(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation != MILLSTREAM_OPERATION_READ) return 0;
    int64_t number = next_number;
    if (number == 0) {
        millstream_response_wait(request->response, 1);
        return 0;
    }
    next_number = 0;
    int64_t *value = malloc(sizeof *value);
    *value = number;
    struct ArrowArray array = arrow_array(1, value, NULL), rows = arrow_rows(1, 1, &array);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

static _Atomic int64_t fired_at, fired_count;

/* A timer as many milliseconds after the row as it says. */
static int32_t remind(void *context, const millstream_request *request) {
    (void)context;
    int64_t now = 0;
    if (request->operation == MILLSTREAM_OPERATION_PROCESS) {
        const int64_t *values = (const int64_t *)request->columns->children[0]->buffers[1] + request->columns->children[0]->offset;
        for (int64_t row = 0; row < request->count; row++) {
            now = millstream_state_processing_time(request->state);
            if (millstream_timer_register(request->state, row, MILLSTREAM_PROCESSING_TIME_DOMAIN, now + values[row], NULL)) return 2;
        }
    }
    if (request->operation == MILLSTREAM_OPERATION_TIMERS) {
        now = millstream_state_processing_time(request->state);
        if (now != request->timestamps[0]) return 3;
        fired_at = now;
        fired_count += request->count;
    }
    return 0;
}

static void put(int64_t number) {
    next_number = number;
    for (int waited = 0; next_number != 0 && waited < 10000; waited++) pause_for(1);
    CHECK(next_number == 0);
}

static void settle(millstream_clock *clock) {
    int32_t is_at_rest = 0;
    OK(millstream_clock_wait(clock, 20000, &is_at_rest, &error));
    CHECK(is_at_rest == 1);
}

static int64_t now_of(millstream_clock *clock) {
    int64_t now = -1;
    OK(millstream_clock_now(clock, &now, &error));
    return now;
}

static void timers_follow_the_clock(void) {
    millstream_clock *clock = NULL;
    millstream_function *source = NULL, *process = NULL;
    millstream_node node = -1;
    start();
    OK(millstream_clock_create(1000, &clock, &error));
    OK(millstream_environment_set_clock(environment, clock, &error));
    millstream_function_options options = {.struct_size = sizeof options, .name = "feed", .call = feed, .output_schema = "ROW<n BIGINT>"};
    OK(millstream_function_create(&options, &source, &error));
    OK(millstream_source_function(environment, source, 0, NULL, &node, &error));
    options = (millstream_function_options){.struct_size = sizeof options, .name = "remind", .call = remind, .output_schema = "ROW<n BIGINT>"};
    OK(millstream_function_create(&options, &process, &error));
    const int32_t key = 0;
    millstream_input input = keyed_by(node, &key);
    OK(millstream_process(environment, &input, process, NULL, 0, &node, &error));
    collect(node);
    millstream_job *job = execute();
    put(500);
    settle(clock);
    CHECK(now_of(clock) == 1000 && fired_count == 0);
    OK(millstream_clock_advance(clock, 499, &error));
    settle(clock);
    CHECK(now_of(clock) == 1499 && fired_count == 0);
    OK(millstream_clock_advance(clock, 1, &error));
    settle(clock);
    CHECK(now_of(clock) == 1500 && fired_count == 1 && fired_at == 1500);
    put(2000);
    put(3000);
    settle(clock);
    OK(millstream_clock_advance(clock, 1000000, &error));
    settle(clock);
    CHECK(now_of(clock) == 1001500 && fired_count == 3 && fired_at == 4500);
    OK(millstream_job_cancel(job, &error));
    CHECK(wait_for(job) == MILLSTREAM_JOB_CANCELED);
    millstream_function_free(source);
    millstream_function_free(process);
    stop(job);
    millstream_clock_free(clock);
}

static void misuse(void) {
    millstream_clock *clock = NULL;
    int64_t now = 0;
    int32_t is_at_rest = 0;
    start();
    OK(millstream_clock_create(0, &clock, &error));
    CHECK(millstream_clock_create(0, NULL, NULL) == MILLSTREAM_INVALID_ARGUMENT);
    CHECK(millstream_clock_advance(clock, -1, NULL) == MILLSTREAM_INVALID_ARGUMENT);
    CHECK(millstream_clock_now(NULL, &now, NULL) == MILLSTREAM_INVALID_HANDLE);
    CHECK(millstream_clock_now(clock, NULL, NULL) == MILLSTREAM_INVALID_ARGUMENT);
    CHECK(millstream_clock_wait(clock, -2, &is_at_rest, NULL) == MILLSTREAM_INVALID_ARGUMENT);
    CHECK(millstream_environment_set_clock(environment, (millstream_clock *)environment, NULL) == MILLSTREAM_INVALID_HANDLE);
    OK(millstream_environment_set_clock(environment, NULL, &error));
    /* To the end of time, and no further. */
    OK(millstream_clock_advance(clock, INT64_MAX, &error));
    OK(millstream_clock_advance(clock, INT64_MAX, &error));
    OK(millstream_clock_wait(clock, 0, &is_at_rest, &error));
    CHECK(is_at_rest == 1 && now_of(clock) == INT64_MAX);
    millstream_clock_free(clock);
    CHECK(millstream_clock_now(clock, &now, NULL) == MILLSTREAM_INVALID_HANDLE);
    millstream_environment_free(environment);
}

int main(void) {
    timers_follow_the_clock();
    misuse();
    return check_end();
}
