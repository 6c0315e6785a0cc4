#include "renderer/desk.h"

#include "common/mem.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static sem_t changes;

static void on_change(void *data)
{
    (void)data;
    sem_post(&changes);
}

static struct desk *new_desk(void)
{
    struct desk *desk;

    sem_init(&changes, 0, 0);
    desk = desk_new(1, false, on_change, NULL);
    assert_non_null(desk);
    return desk;
}

// Without a job before it, it fails as soon as it is begun.
static bool put_task(struct desk *desk, uint32_t segment, uint32_t attempt)
{
    Wire__Message *message = mem_zalloc(sizeof(*message));
    Wire__Task *task = mem_zalloc(sizeof(*task));
    bool taken;

    wire__message__init(message);
    wire__task__init(task);
    task->kind = WIRE__TASK_KIND__RENDER;
    task->segment = segment;
    task->attempt = attempt;
    message->body_case = WIRE__MESSAGE__BODY_TASK;
    message->task = task;
    taken = desk_put_task(desk, message);
    if (!taken)
        wire__message__free_unpacked(message, NULL);
    return taken;
}

static bool put_chunk(struct desk *desk, uint32_t segment, uint32_t attempt)
{
    struct chunk *chunk = chunk_new(0);
    bool taken = desk_put_chunk(desk, segment, attempt, &chunk);

    chunk_free(&chunk);
    return taken;
}

// One that cannot be done anywhere.
static void put_job(struct desk *desk)
{
    Wire__Message *message = mem_zalloc(sizeof(*message));
    Wire__Job *job = mem_zalloc(sizeof(*job));

    wire__message__init(message);
    wire__job__init(job);
    job->input_time_base = mem_zalloc(sizeof(*job->input_time_base));
    wire__rational__init(job->input_time_base);
    job->filters = mem_dup("");
    job->encoder = mem_dup("");
    message->body_case = WIRE__MESSAGE__BODY_JOB;
    message->job = job;
    desk_put_job(desk, message);
}

static void expect_failure(struct desk *desk, uint32_t segment, int code)
{
    Wire__Message *result;

    sem_wait(&changes);
    result = desk_take_result(desk);
    assert_non_null(result);
    assert_int_equal(result->body_case, WIRE__MESSAGE__BODY_FAILED);
    assert_int_equal(result->failed->segment, segment);
    assert_int_equal(result->failed->code, code);
    wire__message__free_unpacked(result, NULL);
}

static void expect_end_of(struct desk *desk, uint32_t segment)
{
    expect_failure(desk, segment, -EPROTO);
}

static void what_was_put_ahead_is_begun_after_the_last_word_on_the_one_before(void **state)
{
    struct desk *desk = new_desk();

    (void)state;
    assert_true(put_task(desk, 1, 1));
    assert_true(put_task(desk, 4, 2));
    assert_false(put_task(desk, 5, 1));
    assert_true(desk_is_at(desk, 1, 1));
    assert_false(desk_is_at(desk, 4, 2));
    expect_end_of(desk, 1);
    assert_true(desk_is_at(desk, 4, 2));
    assert_true(put_task(desk, 5, 1));
    expect_end_of(desk, 4);
    expect_end_of(desk, 5);
    assert_null(desk_take_result(desk));
    assert_true(desk_clear(desk));
}

static void chunks_may_come_ahead_too(void **state)
{
    struct desk *desk = new_desk();

    (void)state;
    assert_false(put_chunk(desk, 1, 1));
    assert_true(put_task(desk, 1, 1));
    sem_wait(&changes);
    sem_post(&changes);
    assert_false(put_chunk(desk, 1, 1)); // it has its result already
    assert_true(put_task(desk, 4, 2));
    assert_true(put_chunk(desk, 4, 2));
    assert_false(put_chunk(desk, 4, 1));
    desk_cancel(desk, 4, 2);
    assert_false(put_chunk(desk, 4, 2));
    expect_end_of(desk, 1);
    expect_end_of(desk, 4); // it was called back, and is told of all the same
}

static void a_desk_is_cleared_of_both(void **state)
{
    struct desk *desk = new_desk();

    (void)state;
    assert_true(put_task(desk, 1, 1));
    assert_true(put_task(desk, 4, 2));
    sem_wait(&changes);
    assert_true(desk_clear(desk));
    assert_null(desk_take_result(desk));
    assert_false(desk_is_at(desk, 1, 1));
    assert_false(desk_is_at(desk, 4, 2));
    assert_true(put_task(desk, 1, 1));
    expect_end_of(desk, 1);
}

// Its second task may fare better, and does not fail for want of a job.
static void a_job_that_could_not_be_begun_is_tried_again_with_the_next_task(void **state)
{
    struct desk *desk = new_desk();

    (void)state;
    put_job(desk);
    assert_true(put_task(desk, 1, 1));
    expect_failure(desk, 1, -EINVAL);
    assert_true(put_task(desk, 1, 2));
    expect_failure(desk, 1, -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_ahead_is_begun_after_the_last_word_on_the_one_before),
        cmocka_unit_test(chunks_may_come_ahead_too),
        cmocka_unit_test(a_desk_is_cleared_of_both),
        cmocka_unit_test(a_job_that_could_not_be_begun_is_tried_again_with_the_next_task),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
