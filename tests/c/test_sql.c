/* SQL: statements, their results as Arrow streams with row kinds, their jobs, and what is wrong with them. */
#include "jobs.h"

static millstream_sql *session;

/* The rows of a stream, and of those the sum of the first column (BIGINT) and how many are changes. */
static int64_t read_stream(struct ArrowArrayStream *stream, int64_t *sum, int64_t *changes) {
    int64_t count = 0;
    *sum = *changes = 0;
    for (;;) {
        struct ArrowArray batch = {0};
        CHECK(stream->get_next(stream, &batch) == 0);
        if (batch.release == NULL) break;
        const int64_t *values = batch.children[0]->buffers[1];
        const int8_t *kinds = batch.children[batch.n_children - 1]->buffers[1];
        for (int64_t row = 0; row < batch.length; row++) {
            *sum += values[batch.children[0]->offset + row];
            *changes += kinds[batch.children[batch.n_children - 1]->offset + row] != 0;
        }
        count += batch.length;
        batch.release(&batch);
    }
    stream->release(stream);
    return count;
}

static void results(void) {
    int64_t sum, changes;
    char *description = NULL;
    struct ArrowArrayStream rows = {0};
    OK(millstream_execute_sql(session, "SELECT CAST(n AS BIGINT) FROM (VALUES (1), (2), (39)) AS t(n);", &description, NULL, &rows, &error));
    CHECK(strstr(description, "\"insertOnly\":true") != NULL && strstr(description, "\"type\":\"BIGINT NOT NULL\"") != NULL);
    millstream_string_free(description);
    CHECK(read_stream(&rows, &sum, &changes) == 3);
    CHECK(sum == 42 && changes == 0);
    /* A result that changes: the first count, then it is taken back, and the next one given. */
    millstream_job *job = NULL;
    OK(millstream_execute_sql(session, "SELECT COUNT(*) FROM (VALUES (1), (2)) AS t(n)", NULL, &job, &rows, &error));
    CHECK(job != NULL);
    CHECK(read_stream(&rows, &sum, &changes) == 3);
    CHECK(sum == 1 + 1 + 2 && changes == 2);
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    millstream_job_free(job);
}

static void statements(void) {
    char *description = NULL;
    millstream_job *job = (millstream_job *)1;
    OK(millstream_execute_sql(session, "CREATE TABLE sink (n BIGINT) WITH ('connector' = 'blackhole')", &description, &job, NULL, &error));
    CHECK(job == NULL && strstr(description, "\"rows\":[[\"OK\"]]") != NULL);
    millstream_string_free(description);
    OK(millstream_execute_sql(session, "SHOW TABLES", &description, NULL, NULL, &error));
    CHECK(strstr(description, "[[\"sink\"]]") != NULL);
    millstream_string_free(description);
    OK(millstream_execute_sql(session, "INSERT INTO sink SELECT CAST(n AS BIGINT) FROM (VALUES (1), (2)) AS t(n)", NULL, &job, NULL, &error));
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    millstream_job_free(job);
    char *json = NULL;
    OK(millstream_sql_split("SELECT 1; -- two\nSELECT ';'", &json, &error));
    CHECK(strcmp(json, "[{\"start\":0,\"end\":8},{\"start\":17,\"end\":27}]") == 0);
    millstream_string_free(json);
}

static void mistakes(void) {
    static const struct { const char *statement; const char *message; } all[] = {
        {"SELECT nam FROM (VALUES ('a')) AS t(name)", "line 1, column 8"},
        {"SELEC 1", "line 1, column 1"},
        {"SELECT * FROM nowhere", "nowhere"},
        {"SET 'table.exec.state.ttl' = 'banana'", "banana"},
        {"", "expected a statement"},
    };
    for (size_t index = 0; index < sizeof all / sizeof *all; index++) {
        CHECK(millstream_execute_sql(session, all[index].statement, NULL, NULL, NULL, &error) != MILLSTREAM_OK);
        CHECK(strstr(millstream_error_message(error), all[index].message) != NULL);
        millstream_error_free(error);
        error = NULL;
    }
    CHECK(millstream_execute_sql(session, NULL, NULL, NULL, NULL, &error) == MILLSTREAM_INVALID_ARGUMENT);
    millstream_error_free(error);
    error = NULL;
    CHECK(millstream_execute_sql(NULL, "SELECT 1", NULL, NULL, NULL, &error) == MILLSTREAM_INVALID_HANDLE);
    millstream_error_free(error);
    error = NULL;
    CHECK(millstream_execute_sql((millstream_sql *)environment, "SELECT 1", NULL, NULL, NULL, &error) == MILLSTREAM_INVALID_HANDLE);
    millstream_error_free(error);
    error = NULL;
}

int main(void) {
    OK(millstream_environment_create(&environment, &error));
    OK(millstream_sql_create(environment, &session, &error));
    results();
    statements();
    mistakes();
    millstream_sql_free(session);
    CHECK(millstream_execute_sql(session, "SELECT 1", NULL, NULL, NULL, &error) == MILLSTREAM_INVALID_HANDLE);
    millstream_error_free(error);
    error = NULL;
    millstream_environment_free(environment);
    OK(millstream_shutdown(10000, &error));
    return check_failures != 0;
}
