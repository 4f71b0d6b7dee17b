/* State of a job from outside: while it runs, in a savepoint, and in the job that goes on from it. */
#include "jobs.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* Sums of the numbers from 0 on, by their remainder of 3, without end. */
static void plan(const char *restore) {
    start();
    if (restore) OK(millstream_environment_configure(environment, "execution.state-recovery.path", restore, &error));
    millstream_expression *columns[] = {binary(MILLSTREAM_REMAINDER, column(0), integer(3)), column(0)};
    millstream_node source = -1, sums = -1, sink = -1;
    OK(millstream_source_generator(environment, (const millstream_expression *const *)columns, 2, -1, 50000, NULL, &source, &error));
    for (int index = 0; index < 2; index++) millstream_expression_free(columns[index]);
    OK(millstream_node_set(environment, source, "parallelism", "1", &error));
    int32_t key = 0;
    millstream_input input = input_from(source);
    input.partitioning = MILLSTREAM_HASH;
    input.keys = &key;
    input.key_count = 1;
    OK(millstream_rolling(environment, &input, MILLSTREAM_ROLLING_SUM, 1, &sums, &error));
    OK(millstream_node_set(environment, sums, "uid", "sums", &error));
    OK(millstream_node_set(environment, sums, "parallelism", restore ? "3" : "2", &error));
    input = input_from(sums);
    OK(millstream_sink_blackhole(environment, &input, &sink, &error));
}

static millstream_job *summing(const char *restore) {
    plan(restore);
    return execute();
}

/* How many numbers are in the sums: they are the first ones, each of them once. -1: they are not. */
static int64_t count_of(struct ArrowArrayStream *stream) {
    struct ArrowSchema schema;
    int64_t sum = 0, keys = 0;
    CHECK(stream->get_schema(stream, &schema) == 0);
    int64_t position = schema.n_children - 1;
    schema.release(&schema);
    for (;;) {
        struct ArrowArray rows;
        CHECK(stream->get_next(stream, &rows) == 0);
        if (!rows.release) break;
        const struct ArrowArray *values = rows.children[position];
        for (int64_t row = 0; row < rows.length; row++) sum += ((const int64_t *)values->buffers[1])[values->offset + row];
        keys += rows.length;
        rows.release(&rows);
    }
    stream->release(stream);
    if (keys != 3) return -1;
    int64_t count = (int64_t)((1 + sqrt(1.0 + 8.0 * (double)sum)) / 2 + 0.5);
    return count * (count - 1) / 2 == sum ? count : -1;
}

static int64_t count_now(millstream_job *job) {
    struct ArrowArrayStream stream;
    char *columns = NULL;
    OK(millstream_job_state(job, "sums", "rolling/records", &stream, &columns, &error));
    if (check_failures) exit(1);
    CHECK(strstr(columns, "\"key0\"") != NULL);
    millstream_string_free(columns);
    return count_of(&stream);
}

/* Waits until the job has state. */
static void wait_for_state(millstream_job *job) {
    for (int tries = 0; tries < 1000; tries++) {
        struct ArrowArrayStream stream;
        if (millstream_job_state(job, "sums", "rolling/records", &stream, NULL, &error) == MILLSTREAM_OK) {
            if (count_of(&stream) > 3) return;
        } else {
            millstream_error_free(error);
            error = NULL;
        }
        pause_for(10);
    }
    CHECK(!"the job has no state");
}

static void remove_all(const char *path) {
    DIR *directory = opendir(path);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && remove(name)) remove_all(name);
    }
    closedir(directory);
    remove(path);
}

int main(void) {
    char directory[] = "/tmp/millstream-savepoints-XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    millstream_job *job = summing(NULL);
    wait_for_state(job);
    int64_t before = count_now(job);
    CHECK(before > 0);

    char *path = NULL, *json = NULL;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no operator with the uid 'products'", millstream_job_state(job, "products", "x", &(struct ArrowArrayStream){0}, NULL, &error));
    FAILS(MILLSTREAM_CONFIGURATION, "needs a directory", millstream_job_savepoint(job, NULL, MILLSTREAM_SAVEPOINT_CONTINUE, &path, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "absolute path", millstream_job_savepoint(job, "here", MILLSTREAM_SAVEPOINT_CONTINUE, &path, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "millstream_savepoint_mode", millstream_job_savepoint(job, directory, 9, &path, &error));
    OK(millstream_job_savepoint(job, directory, MILLSTREAM_SAVEPOINT_CONTINUE, &path, &error));
    millstream_string_free(path);
    OK(millstream_job_savepoint(job, directory, MILLSTREAM_SAVEPOINT_STOP, &path, &error));
    if (check_failures) return 1;
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    OK(millstream_job_checkpoints_json(job, &json, &error));
    CHECK(strstr(json, "\"savepoint\":true") != NULL && strstr(json, "\"completed\":true") != NULL);
    millstream_string_free(json);
    OK(millstream_job_failures_json(job, &json, &error));
    CHECK(strcmp(json, "[]") == 0);
    millstream_string_free(json);
    FAILS(MILLSTREAM_INVALID_STATE, "has ended", millstream_job_savepoint(job, directory, MILLSTREAM_SAVEPOINT_CONTINUE, &json, &error));
    stop(job);

    OK(millstream_savepoint_describe(path, &json, &error));
    CHECK(strstr(json, "\"uid\":\"sums\"") != NULL && strstr(json, "\"name\":\"rolling/records\",\"rows\":3") != NULL);
    millstream_string_free(json);
    struct ArrowArrayStream stream;
    OK(millstream_savepoint_read(path, "sums", "rolling/records", &stream, NULL, &error));
    int64_t saved = count_of(&stream);
    CHECK(saved >= before);
    FAILS(MILLSTREAM_IO, "no such", millstream_savepoint_describe("/tmp/no such savepoint", &json, &error));

    /* A savepoint made of that one, with the rows of the sums put into it. */
    OK(millstream_savepoint_manifest(path, &json, &error));
    CHECK(strstr(json, "\"savepoint\":true") != NULL && strstr(json, "\"uid\":\"sums\"") != NULL && strstr(json, "\"properties\":{}") != NULL);
    millstream_string_free(json);
    OK(millstream_savepoint_commits(path, &json, &error));
    CHECK(strcmp(json, "[]") == 0);
    millstream_string_free(json);
    char made[4096], resolved[4096];
    snprintf(made, sizeof made, "%s/made", directory);
    snprintf(resolved, sizeof resolved, "%s/resolved", directory);
    const char *decisions[] = {"0123", "committed", NULL}, *wrong[] = {"0123", "perhaps", NULL}, *types[] = {"nothing", "INT", NULL};
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no result '0123'", millstream_savepoint_resolve(path, resolved, decisions, &error));
    FAILS(MILLSTREAM_CONFIGURATION, "expected committed, retry or aborted", millstream_savepoint_resolve(path, resolved, wrong, &error));
    OK(millstream_savepoint_resolve(path, resolved, NULL, &error));
    millstream_savepoint_writer *writer = NULL;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "max parallelism is 40000", millstream_savepoint_writer_create(NULL, 40000, &writer, &error));
    OK(millstream_savepoint_writer_create(path, 0, &writer, &error));
    OK(millstream_savepoint_read(path, "sums", "rolling/records", &stream, NULL, &error));
    OK(millstream_savepoint_writer_put(writer, "sums", NULL, "rolling/records", NULL, &stream, &error));
    OK(millstream_savepoint_read(path, "sums", "rolling/records", &stream, NULL, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no column 'nothing'", millstream_savepoint_writer_put(writer, "sums", NULL, "rolling/records", types, &stream, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no state 'keyed/x'", millstream_savepoint_writer_remove(writer, "sums", "keyed/x", &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no operator with the uid 'products'", millstream_savepoint_writer_rename(writer, "products", "x", &error));
    OK(millstream_savepoint_writer_rename(writer, "sums", "totals", &error));
    OK(millstream_savepoint_writer_rename(writer, "totals", "sums", &error));
    OK(millstream_savepoint_writer_write(writer, made, &error));
    FAILS(MILLSTREAM_IO, "already", millstream_savepoint_writer_write(writer, made, &error));
    millstream_savepoint_writer_free(writer);
    millstream_savepoint_writer_free(NULL);
    FAILS(MILLSTREAM_INVALID_HANDLE, "freed", millstream_savepoint_writer_write(writer, made, &error));
    OK(millstream_savepoint_read(made, "sums", "rolling/records", &stream, NULL, &error));
    CHECK(count_of(&stream) == saved);

    /* What a job would make of it. */
    plan(made);
    OK(millstream_environment_plan_diff(environment, made, &json, &error));
    CHECK(strstr(json, "\"rolling/records\"],\"outcome\":\"kept\",\"reason\":\"dealt out anew: the parallelism was 2, and is 3\"") != NULL);
    millstream_string_free(json);
    job = execute();
    wait_for_state(job);
    CHECK(count_now(job) >= saved);
    stop(job);

    /* Another job goes on with the next number, at another parallelism. */
    job = summing(path);
    wait_for_state(job);
    CHECK(count_now(job) >= saved);
    stop(job);
    millstream_string_free(path);
    remove_all(directory);
    return check_end();
}
