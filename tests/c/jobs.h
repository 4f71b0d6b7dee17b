/* What the tests of jobs share: building small plans, running them, and reading what comes out. Include it first: it asks for POSIX. */
#ifndef JOBS_H
#define JOBS_H

#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "../../examples/c/arrow_arrays.h"
#include "check.h"

static millstream_environment *environment;

static inline void pause_for(int milliseconds) {
    struct timespec pause = {0, milliseconds * 1000000};
    nanosleep(&pause, NULL);
}

static inline void start(void) { OK(millstream_environment_create(&environment, &error)); }

static inline millstream_job *execute(void) {
    millstream_job *job = NULL;
    OK(millstream_environment_execute(environment, "test", &job, &error));
    if (!job) exit(1);
    return job;
}

/* Frees what start and execute made. */
static inline void stop(millstream_job *job) {
    millstream_job_free(job);
    millstream_environment_free(environment);
}

static inline millstream_node sequence(int64_t first, int64_t last) {
    millstream_node node = -1;
    OK(millstream_source_sequence(environment, first, last, NULL, &node, &error));
    return node;
}

static inline millstream_node collect(millstream_node from) {
    millstream_node node = -1;
    millstream_input input = input_from(from);
    OK(millstream_sink_collect(environment, &input, &node, &error));
    return node;
}

/* Adds a function of the program as a node, and frees the handle. */
static inline millstream_node transform(millstream_node from, const char *name, millstream_callback call, void *context, const char *schema) {
    millstream_node node = -1;
    millstream_function *function = NULL;
    millstream_function_options options = {.struct_size = sizeof options, .name = name, .call = call, .context = context, .output_schema = schema};
    OK(millstream_function_create(&options, &function, &error));
    millstream_input input = input_from(from);
    OK(millstream_transform(environment, &input, function, &node, &error));
    millstream_function_free(function);
    return node;
}

static inline millstream_expression *column(int32_t position) {
    millstream_expression *expression = NULL;
    OK(millstream_expression_column(position, &expression, &error));
    return expression;
}

static inline millstream_expression *integer(int64_t number) {
    millstream_expression *expression = NULL;
    millstream_value value = {.kind = MILLSTREAM_VALUE_INT64, .as.integer = number};
    OK(millstream_expression_literal(&value, NULL, &expression, &error));
    return expression;
}

static inline millstream_expression *binary(millstream_binary operation, millstream_expression *left, millstream_expression *right) {
    millstream_expression *expression = NULL;
    OK(millstream_expression_binary(operation, left, right, &expression, &error));
    millstream_expression_free(left);
    millstream_expression_free(right);
    return expression;
}

/* Sums up a BIGINT column of a collecting sink until it ends; *count counts rows. */
static inline int64_t drain(millstream_job *job, millstream_node sink, int32_t position, int64_t *count) {
    int64_t sum = 0;
    *count = 0;
    for (;;) {
        struct ArrowArray rows;
        struct ArrowSchema schema;
        int32_t state = 0;
        OK(millstream_job_collect(job, sink, 10000, 0, 0, &rows, &schema, &state, &error));
        if (check_failures) exit(1);
        if (state == 0) {
            CHECK(!"a collecting sink gave nothing for 10 seconds");
            return -1;
        }
        if (state < 0) return sum;
        const struct ArrowArray *values = rows.children[position];
        for (int64_t row = 0; row < rows.length; row++) sum += ((const int64_t *)values->buffers[1])[values->offset + row];
        *count += rows.length;
        rows.release(&rows);
        schema.release(&schema);
    }
}

static inline millstream_job_status wait_for(millstream_job *job) {
    millstream_job_status status = MILLSTREAM_JOB_CREATED;
    OK(millstream_job_wait(job, 20000, &status, &error));
    return status;
}

/* Waits for a failure, whose message must contain the text. The caller frees it. */
static inline millstream_error *failure_of(millstream_job *job, millstream_status wanted, const char *text) {
    millstream_error *failure = NULL;
    CHECK(wait_for(job) == MILLSTREAM_JOB_FAILED);
    OK(millstream_job_failure(job, &failure, &error));
    if (!failure) exit(1);
    CHECK(millstream_error_status(failure) == wanted);
    if (!strstr(millstream_error_message(failure), text)) {
        fprintf(stderr, "wanted '%s' in: %s\n", text, millstream_error_message(failure));
        check_failures++;
    }
    return failure;
}

#endif
