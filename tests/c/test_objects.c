/* Values of the host language: every reference that the engine takes it gives back, whatever becomes of the job. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "../../examples/c/arrow_arrays.h"
#include "check.h"

/* A counted value. */
struct object {
    int references;
    int64_t number;
};

static int live, exceptions_released;

static struct object *object_new(int64_t number) {
    struct object *object = malloc(sizeof *object);
    *object = (struct object){1, number};
    __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    return object;
}

static void retain(void *const *handles, intptr_t count) {
    for (intptr_t index = 0; index < count; index++) {
        if (handles[index]) __atomic_add_fetch(&((struct object *)handles[index])->references, 1, __ATOMIC_RELAXED);
    }
}

static void release(void *const *handles, intptr_t count) {
    for (intptr_t index = 0; index < count; index++) {
        struct object *object = handles[index];
        if (!object || __atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL)) continue;
        free(object);
        __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    }
}

static intptr_t hash(void *const *handles, intptr_t count, uint64_t *hashes) {
    for (intptr_t index = 0; index < count; index++) {
        if (!handles[index]) return index;
        hashes[index] = (uint64_t)((struct object *)handles[index])->number * 0x9E3779B97F4A7C15u;
    }
    return -1;
}

static int32_t equal(void *left, void *right) { return ((struct object *)left)->number == ((struct object *)right)->number; }

static int32_t compare(void *left, void *right) {
    int64_t a = ((struct object *)left)->number, b = ((struct object *)right)->number;
    return a < b ? -1 : a > b;
}

static intptr_t describe(void *handle, uint8_t *text, intptr_t capacity) {
    int count = snprintf((char *)text, (size_t)capacity, "<%lld>", (long long)((struct object *)handle)->number);
    return count < capacity ? count : capacity;
}

static void release_exception(void *exception) {
    (void)exception;
    __atomic_add_fetch(&exceptions_released, 1, __ATOMIC_RELAXED);
}

static int64_t value(const struct ArrowArray *array, int64_t row) { return ((const int64_t *)array->buffers[1])[array->offset + row]; }

/* BIGINT -> OBJECT. A `context` makes every answer one row too long, which is refused. */
static int32_t wrap(void *context, const millstream_request *request) {
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    int64_t count = request->count + (context != NULL);
    void **handles = malloc(sizeof *handles * (size_t)count);
    for (int64_t row = 0; row < count; row++) handles[row] = object_new(row < request->count ? value(request->columns->children[0], row) : -1);
    struct ArrowArray column = arrow_array(count, handles, NULL), rows = arrow_rows(count, 1, &column);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

/* OBJECT -> BIGINT; the handles are borrowed. */
static int32_t unwrap(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    CHECK(strcmp(request->schema->children[0]->format, "l") == 0);
    int64_t *numbers = malloc(sizeof *numbers * (size_t)request->count);
    for (int64_t row = 0; row < request->count; row++) numbers[row] = ((struct object *)(intptr_t)value(request->columns->children[0], row))->number;
    struct ArrowArray column = arrow_array(request->count, numbers, NULL), rows = arrow_rows(request->count, 1, &column);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

static int32_t raise_exception(void *context, const millstream_request *request) {
    if (request->operation == MILLSTREAM_OPERATION_TRANSFORM) {
        millstream_response_fail(request->response, MILLSTREAM_USER_FUNCTION, "raised", 3, context);
        return 1;
    }
    return 0;
}

static millstream_environment *environment;

static millstream_node transform(millstream_node from, millstream_callback call, void *context, const char *schema, millstream_partitioning partitioning) {
    millstream_node node = -1;
    millstream_function *function = NULL;
    millstream_function_options options = {.struct_size = sizeof options, .name = "f", .call = call, .context = context, .output_schema = schema};
    OK(millstream_function_create(&options, &function, &error));
    millstream_input input = input_from(from);
    input.partitioning = partitioning;
    OK(millstream_transform(environment, &input, function, &node, &error));
    millstream_function_free(function);
    return node;
}

static millstream_node begin(const char *parallelism) {
    millstream_node source = -1;
    OK(millstream_environment_create(&environment, &error));
    OK(millstream_environment_configure(environment, "parallelism.default", parallelism, &error));
    OK(millstream_source_sequence(environment, 0, 9999, NULL, &source, &error));
    return source;
}

static millstream_node collect(millstream_node from) {
    millstream_node sink = -1;
    millstream_input input = input_from(from);
    OK(millstream_sink_collect(environment, &input, &sink, &error));
    return sink;
}

static millstream_job *run(void) {
    millstream_job *job = NULL;
    OK(millstream_environment_execute(environment, "objects", &job, &error));
    if (!job) exit(1);
    return job;
}

/* An engine's thread may hold the last reference for a moment. */
static void wait_until(int *counter, int wanted) {
    for (int tries = 0; tries < 300 && __atomic_load_n(counter, __ATOMIC_RELAXED) != wanted; tries++) {
        struct timespec pause = {0, 10000000};
        nanosleep(&pause, NULL);
    }
}

static void end(millstream_job *job) {
    millstream_job_free(job);
    millstream_environment_free(environment);
    wait_until(&live, 0);
    if (live) fprintf(stderr, "%d objects are left\n", live);
    CHECK(live == 0);
}

/* Through two functions, over an exchange, with other batch sizes, and out as numbers. */
static void through(millstream_partitioning partitioning) {
    millstream_node objects = transform(begin("2"), wrap, NULL, "OBJECT", MILLSTREAM_FORWARD);
    millstream_node sink = collect(transform(objects, unwrap, NULL, "BIGINT", partitioning));
    millstream_job *job = run();
    int64_t sum = 0;
    struct ArrowArray rows;
    struct ArrowArrayStream stream;
    OK(millstream_job_collect_stream(job, sink, 0, &stream, &error));
    while (!stream.get_next(&stream, &rows) && rows.release) {
        for (int64_t row = 0; row < rows.length; row++) sum += value(rows.children[0], row);
        rows.release(&rows);
    }
    stream.release(&stream);
    CHECK(sum == 9999LL * 10000 / 2 * (partitioning == MILLSTREAM_BROADCAST ? 2 : 1));
    end(job);
}

/* Out as handles, which live as long as the array. */
static void out(void) {
    millstream_node sink = collect(transform(begin("1"), wrap, NULL, "OBJECT", MILLSTREAM_FORWARD));
    millstream_job *job = run();
    struct ArrowArray rows;
    int32_t state = 0;
    OK(millstream_job_collect(job, sink, 10000, 0, 0, &rows, NULL, &state, &error));
    CHECK(state == 1);
    millstream_job_status status;
    OK(millstream_job_cancel(job, &error));
    OK(millstream_job_wait(job, -1, &status, &error));
    for (int64_t row = 0; row < rows.length; row++) CHECK(((struct object *)(intptr_t)value(rows.children[0], row))->number == row);
    rows.release(&rows);
    end(job);
}

/* A refused answer gives its references back as well. */
static void refused(void) {
    millstream_node sink = collect(transform(begin("1"), wrap, &live, "OBJECT", MILLSTREAM_FORWARD));
    (void)sink;
    millstream_job *job = run();
    millstream_job_status status;
    OK(millstream_job_wait(job, 10000, &status, &error));
    CHECK(status == MILLSTREAM_JOB_FAILED);
    end(job);
}

static void exceptions(void) {
    static int exception;
    collect(transform(begin("1"), raise_exception, &exception, "BIGINT", MILLSTREAM_FORWARD));
    millstream_job *job = run();
    millstream_job_status status;
    millstream_error *failure = NULL;
    OK(millstream_job_wait(job, 10000, &status, &error));
    OK(millstream_job_failure(job, &failure, &error));
    CHECK(millstream_error_exception(failure) == &exception);
    CHECK(millstream_error_record(failure) == 3);
    CHECK(exceptions_released == 0);
    end(job);
    CHECK(exceptions_released == 0);
    millstream_error_free(failure);
    wait_until(&exceptions_released, 1);
    CHECK(exceptions_released == 1);
    /* One that comes too late goes back at once. */
    millstream_response_fail(NULL, MILLSTREAM_IO, "late", -1, &exception);
    CHECK(exceptions_released == 2);
}

/* Without a table no value can cross. */
static void unregistered(void) {
    collect(transform(begin("1"), wrap, NULL, "OBJECT", MILLSTREAM_FORWARD));
    millstream_job *job = NULL;
    millstream_status status = millstream_environment_execute(environment, "unregistered", &job, &error);
    if (status == MILLSTREAM_OK) {
        millstream_job_status reached;
        OK(millstream_job_wait(job, 10000, &reached, &error));
        CHECK(reached == MILLSTREAM_JOB_FAILED);
    }
    millstream_error_free(error);
    error = NULL;
    millstream_job_free(job);
    millstream_environment_free(environment);
    live = 0;
}

int main(void) {
    unregistered();
    millstream_host_objects table = {sizeof table, retain, release, hash, equal, compare, describe, release_exception, NULL, NULL};
    millstream_host_objects wrong = table;
    wrong.hash = NULL;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_register_host_objects(&wrong, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_register_host_objects(NULL, &error));
    OK(millstream_register_host_objects(&table, &error));
    FAILS(MILLSTREAM_INVALID_STATE, "already", millstream_register_host_objects(&table, &error));
    through(MILLSTREAM_FORWARD);
    through(MILLSTREAM_REBALANCE);
    through(MILLSTREAM_BROADCAST);
    out();
    refused();
    exceptions();
    return check_end();
}
