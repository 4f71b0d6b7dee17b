/* Asynchronous functions from C: a thread of the program is done with rows some time later. */
#include "jobs.h"

#include <pthread.h>

/* A parallelism of 1, so that one instance uses it; the lock is between the engine's thread and the program's. */
static struct {
    pthread_mutex_t lock;
    millstream_notifier *notifier;
    int64_t values[64];
    int64_t epochs[64];
    /* By slot: 0 free, 1 in flight, 2 done. */
    int states[64];
    int in_flight, most, is_holding, is_over;
    int strange_slot;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int flying(void) {
    pthread_mutex_lock(&work.lock);
    const int count = work.in_flight;
    pthread_mutex_unlock(&work.lock);
    return count;
}

static void hold(int is_holding) {
    pthread_mutex_lock(&work.lock);
    work.is_holding = is_holding;
    pthread_mutex_unlock(&work.lock);
}

static void *be_done(void *unused) {
    (void)unused;
    for (int round = 0; !__atomic_load_n(&work.is_over, __ATOMIC_RELAXED); round++) {
        pthread_mutex_lock(&work.lock);
        int any = 0;
        for (int slot = 0; slot < 64 && !work.is_holding; slot++) {
            /* Later ones first, now and then. */
            if (work.states[slot] == 1 && (slot + round) % 3 == 0) work.states[slot] = any = 2;
        }
        millstream_notifier *notifier = work.notifier;
        pthread_mutex_unlock(&work.lock);
        if (any) millstream_notify(notifier);
        pause_for(1);
    }
    return NULL;
}

static void begin(const millstream_request *request) {
    const struct ArrowArray *values = request->columns->children[0];
    for (int64_t row = 0; row < request->count; row++) {
        int32_t slot = request->slots[row];
        CHECK(slot >= 0 && slot < 16 && work.states[slot] == 0);
        work.values[slot] = ((const int64_t *)values->buffers[1])[values->offset + row];
        work.epochs[slot] = request->integers[0];
        work.states[slot] = 1;
        work.in_flight++;
    }
    if (work.in_flight > work.most) work.most = work.in_flight;
    work.notifier = request->notifier;
}

static int32_t take(const millstream_request *request) {
    int64_t *out = malloc(sizeof(int64_t) * 64);
    int32_t parents[64];
    int64_t count = 0;
    for (int32_t slot = 0; slot < 64; slot++) {
        if (work.states[slot] != 2 || work.epochs[slot] != request->integers[0]) continue;
        out[count] = work.values[slot] + 1;
        parents[count++] = slot;
        work.states[slot] = 0;
        work.in_flight--;
        millstream_response_integer(request->response, slot);
    }
    if (work.strange_slot) millstream_response_integer(request->response, work.strange_slot);
    struct ArrowArray array = arrow_array(count, out, NULL), rows = arrow_rows(count, 1, &array);
    return (int32_t)millstream_response_emit(request->response, NULL, &rows, parents, NULL, NULL, NULL);
}

static int32_t later(void *context, const millstream_request *request) {
    (void)context;
    int32_t status = 0;
    pthread_mutex_lock(&work.lock);
    if (request->operation == MILLSTREAM_OPERATION_OPEN) CHECK(request->notifier != NULL);
    if (request->operation == MILLSTREAM_OPERATION_ASYNC_START) begin(request);
    if (request->operation == MILLSTREAM_OPERATION_ASYNC_POLL) status = take(request);
    pthread_mutex_unlock(&work.lock);
    return status;
}

static millstream_node asynchronous(millstream_node from) {
    millstream_node node = -1;
    millstream_function *function = NULL;
    millstream_function_options options = {.struct_size = sizeof options, .name = "later", .call = later, .output_schema = "BIGINT"};
    OK(millstream_function_create(&options, &function, &error));
    millstream_input input = input_from(from);
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "capacity of 0", millstream_async(environment, &input, function, 0, &node, &error));
    OK(millstream_async(environment, &input, function, 16, &node, &error));
    millstream_function_free(function);
    return node;
}

static void reset(void) {
    memset(work.states, 0, sizeof work.states);
    work.in_flight = work.most = work.is_holding = work.strange_slot = 0;
}

static void results(void) {
    int64_t count;
    reset();
    start();
    millstream_node sink = collect(asynchronous(sequence(1, 500)));
    millstream_job *job = execute();
    CHECK(drain(job, sink, 0, &count) == 500LL * 501 / 2 + 500);
    CHECK(count == 500);
    CHECK(work.most == 16);
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    stop(job);
    /* Late, and for nobody. */
    millstream_notify(work.notifier);
    millstream_notify(NULL);
    millstream_notify((millstream_notifier *)environment);
}

static void cancellation(void) {
    reset();
    hold(1);
    start();
    collect(asynchronous(sequence(1, 500)));
    millstream_job *job = execute();
    for (int tries = 0; tries < 1000 && flying() < 16; tries++) pause_for(5);
    CHECK(flying() == 16);
    OK(millstream_job_cancel(job, &error));
    CHECK(wait_for(job) == MILLSTREAM_JOB_CANCELED);
    millstream_notify(work.notifier);
    stop(job);
}

static void strange_slots(void) {
    reset();
    work.strange_slot = 40;
    start();
    collect(asynchronous(sequence(1, 500)));
    millstream_job *job = execute();
    millstream_error_free(failure_of(job, MILLSTREAM_USER_FUNCTION, "slot 40"));
    stop(job);
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, be_done, NULL) != 0) return 1;
    results();
    cancellation();
    strange_slots();
    __atomic_store_n(&work.is_over, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    OK(millstream_shutdown(5000, &error));
    return check_failures != 0;
}
