/* Jobs end to end: rows through expressions and functions; failures, cancellation, collecting, forks and the shutdown. */
#include "jobs.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Expressions ---- */

static void expressions(void) {
    int64_t count;
    start();
    millstream_node source = sequence(1, 1000), filter, project;
    millstream_input input = input_from(source);
    /* Every third number, doubled. */
    millstream_expression *condition = binary(MILLSTREAM_EQUAL, binary(MILLSTREAM_REMAINDER, column(0), integer(3)), integer(0));
    OK(millstream_filter(environment, &input, condition, &filter, &error));
    millstream_expression_free(condition);
    input.node = filter;
    millstream_expression *doubled[] = {binary(MILLSTREAM_MULTIPLY, column(0), integer(2)), column(0)}, *aliased = NULL;
    OK(millstream_expression_alias(doubled[1], "n", &aliased, &error));
    millstream_expression *both[] = {doubled[0], aliased};
    OK(millstream_project(environment, &input, (const millstream_expression *const *)both, 2, &project, &error));
    for (int index = 0; index < 2; index++) millstream_expression_free(doubled[index]);
    millstream_expression_free(aliased);
    char *schema = NULL;
    OK(millstream_node_schema(environment, project, &schema, &error));
    CHECK(strcmp(schema, "ROW<`f0` BIGINT NOT NULL, `n` BIGINT NOT NULL>") == 0);
    millstream_string_free(schema);
    millstream_node sink = collect(project);
    millstream_job *job = execute();
    CHECK(drain(job, sink, 0, &count) == 2 * 3 * (333 * 334 / 2));
    CHECK(count == 333);
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    char *json = NULL;
    OK(millstream_job_explain_time(job, MILLSTREAM_TEXT, &json, &error));
    CHECK(strstr(json, "event time of '") != NULL && strstr(json, "source '") != NULL);
    millstream_string_free(json);
    OK(millstream_job_explain_time(job, MILLSTREAM_JSON, &json, &error));
    CHECK(strstr(json, "\"isSource\":true") != NULL);
    millstream_string_free(json);
    CHECK(millstream_job_explain_time(job, (millstream_text_format)7, &json, &error) == MILLSTREAM_INVALID_ARGUMENT);
    millstream_error_free(error);
    error = NULL;
    OK(millstream_job_metrics_json(job, &json, &error));
    CHECK(json && json[0] == '{');
    millstream_string_free(json);
    millstream_error *failure = NULL;
    OK(millstream_job_failure(job, &failure, &error));
    CHECK(failure == NULL);
    stop(job);
}

/* ---- Functions ---- */

struct counters { int opened, closed, released, instances, rows; };

static int32_t add_one(void *context, const millstream_request *request) {
    struct counters *counters = context;
    if (request->operation == MILLSTREAM_OPERATION_OPEN) __atomic_add_fetch(&counters->opened, 1, __ATOMIC_RELAXED);
    if (request->operation == MILLSTREAM_OPERATION_CLOSE) __atomic_add_fetch(&counters->closed, 1, __ATOMIC_RELAXED);
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    __atomic_add_fetch(&counters->rows, (int)request->count, __ATOMIC_RELAXED);
    const struct ArrowArray *values = request->columns->children[0];
    int64_t *out = malloc(sizeof(int64_t) * (size_t)request->count);
    for (int64_t row = 0; row < request->count; row++) out[row] = ((const int64_t *)values->buffers[1])[values->offset + row] + 1;
    struct ArrowArray array = arrow_array(request->count, out, NULL), rows = arrow_rows(request->count, 1, &array);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

static void count_release(void *context) { __atomic_add_fetch(&((struct counters *)context)->released, 1, __ATOMIC_RELAXED); }

static void functions(void) {
    struct counters counters = {0};
    int64_t count;
    start();
    OK(millstream_environment_configure(environment, "parallelism.default", "3", &error));
    millstream_node node, source = sequence(0, 99999);
    millstream_function *function = NULL;
    millstream_function_options options = {
        .struct_size = sizeof options, .name = "add one", .call = add_one, .context = &counters, .release = count_release, .output_schema = "BIGINT"};
    OK(millstream_function_create(&options, &function, &error));
    millstream_input input = input_from(source);
    input.partitioning = MILLSTREAM_REBALANCE;
    OK(millstream_transform(environment, &input, function, &node, &error));
    millstream_function_free(function);
    millstream_node sink = collect(node);
    /* An environment may be executed again. */
    for (int round = 0; round < 2; round++) {
        millstream_job *job = execute();
        CHECK(drain(job, sink, 0, &count) == 100000LL * 99999 / 2 + 100000);
        CHECK(count == 100000);
        CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
        millstream_job_free(job);
        millstream_job_free(job);
    }
    CHECK(counters.rows == 200000);
    CHECK(counters.opened == 6);
    CHECK(counters.closed == 6);
    CHECK(counters.released == 0);
    millstream_environment_free(environment);
    /* An engine's thread may hold the last reference for a moment. */
    for (int tries = 0; tries < 200 && !__atomic_load_n(&counters.released, __ATOMIC_RELAXED); tries++) pause_for(10);
    CHECK(counters.released == 1);
}

/* ---- Failures ---- */

static int32_t fail_at_500(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    const struct ArrowArray *values = request->columns->children[0];
    for (int64_t row = 0; row < request->count; row++) {
        if (((const int64_t *)values->buffers[1])[values->offset + row] != 500) continue;
        millstream_response_fail(request->response, MILLSTREAM_USER_FUNCTION, "500 is a bad number", row, NULL);
        return 1;
    }
    return 0;
}

/* Emits the rows before 500 and then fails; `context` says whether one of its answers is refused: then none counts. */
static int32_t fail_behind_rows(void *context, const millstream_request *request) {
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    int64_t *values = calloc(500, sizeof *values);
    int32_t *parents = calloc(500, sizeof *parents);
    for (int32_t row = 0; row < 500; row++) values[row] = 2 * row, parents[row] = row;
    struct ArrowArray array = arrow_array(500, values, NULL);
    struct ArrowArray rows = arrow_rows(500, 1, &array);
    OK(millstream_response_emit(request->response, NULL, &rows, parents, NULL, NULL, &error));
    if (*(int *)context) {
        struct ArrowArray more = arrow_array(1, calloc(1, sizeof *values), NULL), wrong = arrow_rows(1, 1, &more);
        parents[0] = -1;
        CHECK(millstream_response_emit(request->response, NULL, &wrong, parents, NULL, NULL, NULL) != MILLSTREAM_OK);
    }
    free(parents);
    millstream_response_fail(request->response, MILLSTREAM_USER_FUNCTION, "500 is a bad number", 500, NULL);
    return 1;
}

/* Rows that were emitted before a failure arrive, and then the failure. */
static void failures_behind_rows(void) {
    for (int is_refused = 0; is_refused <= 1; is_refused++) {
        start();
        millstream_node sink = collect(transform(sequence(0, 999), "picky", fail_behind_rows, &is_refused, "BIGINT"));
        millstream_job *job = execute();
        struct ArrowArrayStream stream;
        struct ArrowArray rows;
        int64_t count = 0, sum = 0;
        OK(millstream_job_collect_stream(job, sink, 0, &stream, &error));
        while (stream.get_next(&stream, &rows) == 0 && rows.release) {
            const struct ArrowArray *values = rows.children[0];
            for (int64_t row = 0; row < rows.length; row++) sum += ((const int64_t *)values->buffers[1])[values->offset + row];
            count += rows.length;
            rows.release(&rows);
        }
        CHECK(stream.get_last_error(&stream) && strstr(stream.get_last_error(&stream), is_refused ? "'picky'" : "500 is a bad number"));
        stream.release(&stream);
        CHECK(count == (is_refused ? 0 : 500) && sum == (is_refused ? 0 : 500 * 499));
        CHECK(wait_for(job) == MILLSTREAM_JOB_FAILED);
        stop(job);
    }
}

static int32_t refuse(void *context, const millstream_request *request) {
    (void)context;
    return request->operation == MILLSTREAM_OPERATION_TRANSFORM ? 7 : 0;
}

static int32_t fail_to_open(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation == MILLSTREAM_OPERATION_OPEN) millstream_response_fail(request->response, MILLSTREAM_IO, "no connection", -1, NULL);
    return 0;
}

/* Each answers with something that is wrong in its own way, and claims that all is well. */
static int32_t emit_garbage(void *context, const millstream_request *request) {
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    int kind = *(int *)context;
    int64_t *values = calloc((size_t)request->count + 1, sizeof *values);
    struct ArrowArray array = arrow_array(kind == 0 ? request->count + 1 : request->count, values, NULL);
    struct ArrowArray rows = arrow_rows(array.length, 1, &array);
    int32_t *parents = NULL;
    switch (kind) {
    case 1: parents = calloc((size_t)request->count, sizeof *parents), parents[0] = (int32_t)request->count; break;
    case 2: rows.children[0]->n_buffers = 1; break;
    case 3: rows.children[0]->length = 0; break;
    case 4: rows.children[0]->offset = INT64_MAX; break;
    case 5: rows.n_children = 0; break;
    case 6: rows.length = -1; break;
    case 7: rows.children[0]->null_count = 1; break;
    }
    millstream_response_emit(request->response, kind == 8 ? "nowhere" : NULL, &rows, parents, NULL, NULL, NULL);
    free(parents);
    return 0;
}

static void failures(void) {
    start();
    collect(transform(sequence(0, 9999), "picky", fail_at_500, NULL, "BIGINT"));
    millstream_job *job = execute();
    millstream_error *failure = failure_of(job, MILLSTREAM_USER_FUNCTION, "500 is a bad number");
    CHECK(millstream_error_operator(failure) && strstr(millstream_error_operator(failure), "picky"));
    CHECK(millstream_error_record(failure) == 500);
    millstream_error_free(failure);
    stop(job);

    start();
    collect(transform(sequence(0, 9), "refuse", refuse, NULL, "BIGINT"));
    millstream_error_free(failure_of(job = execute(), MILLSTREAM_USER_FUNCTION, "returned 7"));
    stop(job);

    start();
    collect(transform(sequence(0, 9), "closed", fail_to_open, NULL, "BIGINT"));
    millstream_error_free(failure_of(job = execute(), MILLSTREAM_IO, "no connection"));
    stop(job);

    for (int kind = 0; kind <= 8; kind++) {
        start();
        millstream_node sink = collect(transform(sequence(0, 9), "garbage", emit_garbage, &kind, "BIGINT"));
        job = execute();
        /* The stream ends with the job's failure. */
        struct ArrowArrayStream stream;
        struct ArrowArray rows;
        OK(millstream_job_collect_stream(job, sink, 0, &stream, &error));
        CHECK(stream.get_next(&stream, &rows) != 0);
        CHECK(strstr(stream.get_last_error(&stream), "'garbage'") != NULL);
        stream.release(&stream);
        CHECK(wait_for(job) == MILLSTREAM_JOB_FAILED);
        stop(job);
    }
}

static void refusals(void) {
    millstream_job *job = NULL;
    start();
    FAILS(MILLSTREAM_PLAN, "nothing to execute", millstream_environment_execute(environment, "empty", &job, &error));
    millstream_node first = sequence(0, 9), second = sequence(0, 9);
    collect(first);
    collect(second);
    OK(millstream_node_set(environment, first, "uid", "same", &error));
    OK(millstream_node_set(environment, second, "uid", "same", &error));
    FAILS(MILLSTREAM_PLAN, "have the uid 'same'", millstream_environment_execute(environment, "uids", &job, &error));
    OK(millstream_node_set(environment, second, "uid", "other", &error));
    OK(millstream_node_set(environment, first, "parallelism", "5", &error));
    OK(millstream_node_set(environment, first, "max-parallelism", "4", &error));
    FAILS(MILLSTREAM_CONFIGURATION, "parallelism 5 is above the max parallelism 4", millstream_environment_execute(environment, "parallelism", &job, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "job is NULL", millstream_environment_execute(environment, "place", NULL, &error));
    millstream_environment_free(environment);
}

/* ---- Sources, sinks, output ---- */

struct text { char bytes[4096]; size_t length; };

static int32_t take_text(void *context, int32_t stream, const char *bytes, intptr_t length, millstream_response *response) {
    struct text *text = context;
    (void)response;
    CHECK(stream == 1 && length > 0 && bytes[length - 1] == '\n');
    if (text->length + (size_t)length >= sizeof text->bytes) return 1;
    memcpy(text->bytes + text->length, bytes, (size_t)length);
    text->length += (size_t)length;
    return 0;
}

/* Fails with words and an exception, or with a number alone; or answers with rows, which printing has no use for. */
static int32_t refuse_text(void *context, int32_t stream, const char *bytes, intptr_t length, millstream_response *response) {
    int kind = *(int *)context;
    (void)stream, (void)bytes, (void)length;
    if (kind == 0) millstream_response_fail(response, MILLSTREAM_IO, "no paper", -1, context);
    if (kind == 2) {
        struct ArrowArray array = arrow_array(1, calloc(1, sizeof(int64_t)), NULL), rows = arrow_rows(1, 1, &array);
        millstream_response_emit(response, NULL, &rows, NULL, NULL, NULL, NULL);
        return 0;
    }
    return 5;
}

static void prints_nowhere(void) {
    static const char *const messages[] = {"no paper", "text output returned 5", "text output"};
    static const millstream_status statuses[] = {MILLSTREAM_IO, MILLSTREAM_IO, MILLSTREAM_PLAN};
    for (int kind = 0; kind < 3; kind++) {
        start();
        millstream_node sink;
        millstream_input input = input_from(sequence(1, 3));
        OK(millstream_environment_set_text_output(environment, refuse_text, &kind, &error));
        OK(millstream_sink_print(environment, &input, "n", 0, &sink, &error));
        OK(millstream_node_set(environment, sink, "name", "paper", &error));
        millstream_job *job = execute();
        millstream_error *failure = failure_of(job, statuses[kind], messages[kind]);
        CHECK(strstr(millstream_error_operator(failure), "paper") != NULL);
        CHECK(millstream_error_exception(failure) == (kind == 0 ? (void *)&kind : NULL));
        millstream_error_free(failure);
        stop(job);
    }
}

static int32_t read_numbers(void *context, const millstream_request *request) {
    int64_t *next = context, limit = request->integer_count ? request->integers[0] : 0;
    if (request->operation != MILLSTREAM_OPERATION_READ) return 0;
    if (*next == 1000) {
        millstream_response_end(request->response);
        return 0;
    }
    int64_t count = limit < 300 ? limit : 300;
    if (count > 1000 - *next) count = 1000 - *next;
    int64_t *out = malloc(sizeof *out * (size_t)count);
    for (int64_t row = 0; row < count; row++) out[row] = (*next)++;
    struct ArrowArray array = arrow_array(count, out, NULL), rows = arrow_rows(count, 1, &array);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

static int32_t write_numbers(void *context, const millstream_request *request) {
    int64_t *sums = context;
    if (request->operation == MILLSTREAM_OPERATION_FLUSH) sums[1] += request->integers[0];
    if (request->operation != MILLSTREAM_OPERATION_WRITE) return 0;
    const struct ArrowArray *values = request->columns->children[0];
    for (int64_t row = 0; row < request->count; row++) sums[0] += ((const int64_t *)values->buffers[1])[values->offset + row];
    return 0;
}

static void ends(void) {
    start();
    struct text text = {{0}, 0};
    OK(millstream_environment_set_text_output(environment, take_text, &text, &error));
    millstream_node sink;
    millstream_input input = input_from(sequence(1, 3));
    OK(millstream_sink_print(environment, &input, "n", 0, &sink, &error));
    millstream_job *job = execute();
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    CHECK(strcmp(text.bytes, "n> 1\nn> 2\nn> 3\n") == 0);
    stop(job);

    start();
    int64_t next = 0, sums[2] = {0, 0};
    millstream_node source;
    millstream_function *reader = NULL, *writer = NULL;
    millstream_function_options options = {.struct_size = sizeof options, .name = "reader", .call = read_numbers, .context = &next, .output_schema = "BIGINT"};
    OK(millstream_function_create(&options, &reader, &error));
    OK(millstream_source_function(environment, reader, 1, NULL, &source, &error));
    options = (millstream_function_options){.struct_size = sizeof options, .name = "writer", .call = write_numbers, .context = sums};
    OK(millstream_function_create(&options, &writer, &error));
    input = input_from(source);
    OK(millstream_sink_function(environment, &input, writer, &sink, &error));
    millstream_function_free(reader);
    millstream_function_free(writer);
    job = execute();
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    CHECK(sums[0] == 999 * 1000 / 2);
    CHECK(sums[1] == 1);
    stop(job);
}

/* ---- Failures in CLOSE ---- */

struct closing { int closed; int64_t fails_at; int says_what; int64_t next; };

static int32_t fail_to_close(void *context, const millstream_request *request) {
    struct closing *closing = context;
    if (request->operation == MILLSTREAM_OPERATION_CLOSE) {
        __atomic_add_fetch(&closing->closed, 1, __ATOMIC_RELAXED);
        if (closing->says_what) millstream_response_fail(request->response, MILLSTREAM_IO, "not flushed", -1, NULL);
        return 1;
    }
    if (request->operation == MILLSTREAM_OPERATION_READ) return read_numbers(&closing->next, request);
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    const struct ArrowArray *values = request->columns->children[0];
    for (int64_t row = 0; row < request->count; row++) {
        if (((const int64_t *)values->buffers[1])[values->offset + row] != closing->fails_at) continue;
        millstream_response_fail(request->response, MILLSTREAM_USER_FUNCTION, "row refused", row, NULL);
        return 1;
    }
    return 0;
}

/* The job fails with what a function says in CLOSE, wherever the function stands; after an earlier failure it is attached to that one. */
static void failures_to_close(void) {
    for (int variant = 0; variant < 6; variant++) {
        struct closing closing = {.fails_at = variant == 2 ? 500 : -1, .says_what = variant != 1, .next = 900}, other = {.fails_at = -1, .says_what = 1};
        start();
        OK(millstream_environment_configure(environment, "parallelism.default", "1", &error));
        millstream_function *function = NULL;
        millstream_function_options options = {.struct_size = sizeof options, .name = "f", .call = fail_to_close, .context = &closing, .output_schema = "BIGINT"};
        OK(millstream_function_create(&options, &function, &error));
        millstream_node node = -1, sink;
        millstream_input input;
        if (variant == 4) OK(millstream_source_function(environment, function, 1, NULL, &node, &error));
        else node = sequence(0, 999);
        if (variant < 4) {
            input = input_from(node);
            OK(millstream_transform(environment, &input, function, &node, &error));
        }
        if (variant == 3) node = transform(node, "g", fail_to_close, &other, "BIGINT");
        input = input_from(node);
        if (variant == 5) OK(millstream_sink_function(environment, &input, function, &sink, &error));
        else OK(millstream_sink_blackhole(environment, &input, &sink, &error));
        millstream_function_free(function);
        millstream_job *job = execute();
        CHECK(wait_for(job) == MILLSTREAM_JOB_FAILED);
        static const char *const texts[] = {"closing 'f' failed: not flushed", "closing 'f' failed: the function 'f' returned 1", "row refused", "not flushed",
            "closing 'f' failed: not flushed", "closing 'f' failed: not flushed"};
        static const millstream_status statuses[] = {MILLSTREAM_IO, MILLSTREAM_USER_FUNCTION, MILLSTREAM_USER_FUNCTION, MILLSTREAM_IO, MILLSTREAM_IO, MILLSTREAM_IO};
        millstream_error *failure = failure_of(job, statuses[variant], texts[variant]);
        const char *suppressed = millstream_error_suppressed(failure, 0);
        if (variant == 2 || variant == 3) CHECK(suppressed != NULL && strstr(suppressed, "not flushed") != NULL);
        else CHECK(suppressed == NULL);
        CHECK(millstream_error_suppressed(failure, 1) == NULL);
        CHECK(millstream_error_suppressed(failure, -1) == NULL);
        CHECK(millstream_error_suppressed(NULL, 0) == NULL);
        CHECK(closing.closed == 1);
        CHECK(other.closed == (variant == 3));
        millstream_error_free(failure);
        stop(job);
    }
}

/* ---- Rows ahead of the clock ---- */

/* Rows 0 to 9 have the times of the years 1970, 2001, 2033 and on: two are not ahead of the clock. */
static void ahead_of_the_clock(int has_output, int at_source) {
    int64_t count;
    start();
    millstream_node timed;
    millstream_watermarks watermarks = {.struct_size = sizeof watermarks, .timestamp_column = 0, .out_of_orderness = 0, .idle_timeout = -1};
    watermarks.max_future_drift = 60000;
    watermarks.future_output = has_output ? "ahead" : NULL;
    millstream_expression *times[] = {binary(MILLSTREAM_MULTIPLY, column(0), integer(1000000000000))};
    if (at_source) {
        OK(millstream_source_generator(environment, (const millstream_expression *const *)times, 1, 10, 0, &watermarks, &timed, &error));
    } else {
        millstream_node project;
        millstream_input input = input_from(sequence(0, 9));
        OK(millstream_project(environment, &input, (const millstream_expression *const *)times, 1, &project, &error));
        input.node = project;
        OK(millstream_assign_timestamps(environment, &input, &watermarks, &timed, &error));
    }
    millstream_expression_free(times[0]);
    millstream_node sink = collect(timed), ahead = -1;
    millstream_input input = input_from(timed);
    input.side_output = "ahead";
    if (has_output) OK(millstream_sink_collect(environment, &input, &ahead, &error));
    else FAILS(MILLSTREAM_PLAN, "ahead", millstream_sink_collect(environment, &input, &ahead, &error));
    millstream_job *job = execute();
    CHECK(drain(job, sink, 0, &count) == 1000000000000);
    CHECK(count == 2);
    if (has_output) {
        CHECK(drain(job, ahead, 0, &count) == 44000000000000);
        CHECK(count == 8);
    }
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    char *json = NULL;
    OK(millstream_job_metrics_json(job, &json, &error));
    CHECK(strstr(json, "\"numFutureRecords\":8") != NULL);
    CHECK((strstr(json, "\"numFutureRecordsDropped\":8") == NULL) == has_output);
    millstream_string_free(json);
    stop(job);
}

static void missing_file(void) {
    start();
    const char *path = "/no/such/file.csv", *options[] = {"format", "csv", NULL};
    millstream_node source;
    OK(millstream_source_files(environment, &path, 1, "ROW<a INT>", options, NULL, &source, &error));
    collect(source);
    millstream_job *job = NULL;
    millstream_status status = millstream_environment_execute(environment, "missing", &job, &error);
    if (status == MILLSTREAM_OK) {
        millstream_error_free(failure_of(job, MILLSTREAM_IO, "/no/such/file.csv"));
    } else {
        CHECK(status == MILLSTREAM_IO && strstr(millstream_error_message(error), "/no/such/file.csv"));
        millstream_error_free(error);
        error = NULL;
    }
    stop(job);
}

/* ---- Cancellation ---- */

static int32_t slowly(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    pause_for(10);
    return 0;
}

static millstream_job *endless(millstream_callback call) {
    start();
    millstream_node node, sink;
    millstream_expression *number = column(0);
    OK(millstream_source_generator(environment, (const millstream_expression *const *)&number, 1, -1, 0, NULL, &node, &error));
    millstream_expression_free(number);
    if (call) node = transform(node, "slow", call, NULL, "BIGINT");
    millstream_input input = input_from(node);
    OK(millstream_sink_blackhole(environment, &input, &sink, &error));
    return execute();
}

static void cancellation(void) {
    millstream_job_status status;
    millstream_job *job = endless(NULL);
    OK(millstream_job_wait(job, 50, &status, &error));
    CHECK(status == MILLSTREAM_JOB_RUNNING);
    OK(millstream_job_get_status(job, &status, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "-2", millstream_job_wait(job, -2, &status, &error));
    OK(millstream_job_cancel(job, &error));
    OK(millstream_job_cancel(job, &error));
    CHECK(wait_for(job) == MILLSTREAM_JOB_CANCELED);
    OK(millstream_job_cancel(job, &error));
    millstream_error *failure = NULL;
    OK(millstream_job_failure(job, &failure, &error));
    CHECK(failure == NULL);
    stop(job);
    FAILS(MILLSTREAM_INVALID_HANDLE, "freed", millstream_job_cancel(job, &error));

    /* Freeing a job that runs cancels it. */
    stop(endless(slowly));

    /* A collecting sink that nobody reads holds the job back, and does not keep it from being cancelled. */
    start();
    millstream_node node;
    millstream_expression *number = column(0);
    OK(millstream_source_generator(environment, (const millstream_expression *const *)&number, 1, -1, 0, NULL, &node, &error));
    millstream_expression_free(number);
    collect(node);
    job = execute();
    OK(millstream_job_wait(job, 200, &status, &error));
    CHECK(status == MILLSTREAM_JOB_RUNNING);
    stop(job);
}

static void collecting(void) {
    start();
    millstream_node source = sequence(0, 9999), sink = collect(source);
    millstream_job *job = execute();
    struct ArrowArray rows;
    struct ArrowSchema schema;
    int32_t state = 0;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no collecting sink", millstream_job_collect(job, source, 0, 0, 0, &rows, &schema, &state, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no collecting sink", millstream_job_collect(job, -5, 0, 0, 0, &rows, &schema, &state, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "rows is NULL", millstream_job_collect(job, sink, 0, 0, 0, NULL, &schema, &state, &error));
    OK(millstream_job_collect(job, sink, 10000, 1, 1, &rows, &schema, &state, &error));
    CHECK(state == 1);
    CHECK(schema.n_children == 3);
    CHECK(strcmp(schema.children[1]->name, "$row_kind") == 0);
    CHECK(strcmp(schema.children[2]->name, "$timestamp") == 0);
    int64_t count = rows.length;
    rows.release(&rows);
    schema.release(&schema);
    /* A stream keeps the job alive after its handle is gone. */
    struct ArrowArrayStream stream;
    OK(millstream_job_collect_stream(job, sink, 1, &stream, &error));
    stop(job);
    CHECK(stream.get_schema(&stream, &schema) == 0);
    CHECK(strcmp(schema.format, "+s") == 0);
    schema.release(&schema);
    for (;;) {
        CHECK(stream.get_next(&stream, &rows) == 0);
        if (!rows.release) break;
        count += rows.length;
        rows.release(&rows);
    }
    CHECK(count == 10000);
    stream.release(&stream);
}

/* ---- The process ---- */

static void forks(void) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        millstream_environment *inherited = NULL;
        millstream_error *failure = NULL;
        int right = millstream_environment_create(&inherited, &failure) == MILLSTREAM_INVALID_STATE
            && strstr(millstream_error_message(failure), "fork") != NULL;
        millstream_error_free(failure);
        _exit(right ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static atomic_int blocked;

static int32_t block(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    for (blocked = 1; blocked == 1;) pause_for(1);
    return 1;
}

static void shutdown(void) {
    millstream_job *job = endless(block);
    millstream_node node;
    millstream_job_status status;
    while (!blocked) pause_for(1);
    /* As often as one likes, while a function does not return. */
    for (int again = 0; again < 3; again++) FAILS(MILLSTREAM_INVALID_STATE, "has not stopped in time", millstream_shutdown(20, &error));
    FAILS(MILLSTREAM_INVALID_STATE, "shut down", millstream_source_sequence(environment, 0, 9, NULL, &node, &error));
    blocked = 2;
    OK(millstream_shutdown(10000, &error));
    FAILS(MILLSTREAM_INVALID_STATE, "shut down", millstream_shutdown(10000, &error));
    FAILS(MILLSTREAM_INVALID_STATE, "shut down", millstream_source_sequence(environment, 0, 9, NULL, &node, &error));
    FAILS(MILLSTREAM_INVALID_STATE, "shut down", millstream_job_wait(job, 0, &status, &error));
    FAILS(MILLSTREAM_INVALID_STATE, "shut down", millstream_environment_create(&environment, &error));
    stop(job);
}

int main(void) {
    expressions();
    functions();
    failures();
    failures_behind_rows();
    refusals();
    ends();
    prints_nowhere();
    failures_to_close();
    for (int variant = 0; variant < 4; variant++) ahead_of_the_clock(variant & 1, variant >> 1);
    missing_file();
    cancellation();
    collecting();
    forks();
    shutdown();
    return check_end();
}
