// Who says hello: one of ours, one of ours that is gone by now, or somebody else; and one that has gone without a word.
#include "coordinator/crew.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// What is told of this hello; *awaited is the answer.
static const char *told_of(struct crew *crew, struct renderer *renderer, uint32_t pid, bool *awaited)
{
    static char text[200];
    int standard_error = dup(STDERR_FILENO);
    FILE *told = tmpfile();
    ssize_t size;

    assert_non_null(told);
    dup2(fileno(told), STDERR_FILENO);
    *awaited = crew_awaits(crew, renderer, pid);
    fflush(stderr);
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    size = pread(fileno(told), text, sizeof(text) - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    fclose(told);
    return text;
}

static void one_that_is_starting_is_awaited(void **state)
{
    struct renderer renderer = {.state = RENDERER_STARTING, .pid = 7};
    struct crew crew = {0};
    bool awaited;

    (void)state;
    assert_string_equal(told_of(&crew, &renderer, 7, &awaited), "");
    assert_true(awaited);
}

static void one_that_has_ended_with_its_hello_on_the_way_is_not_told_of(void **state)
{
    struct renderer gone = {.state = RENDERER_GONE, .ended_pid = 7}, replaced = {.state = RENDERER_STARTING, .pid = 8, .ended_pid = 7};
    struct crew crew = {0};
    bool awaited;

    (void)state;
    assert_string_equal(told_of(&crew, &gone, 7, &awaited), "");
    assert_false(awaited);
    assert_string_equal(told_of(&crew, &replaced, 7, &awaited), "");
    assert_false(awaited);
}

static void a_stranger_is_told_of(void **state)
{
    struct renderer starting = {.state = RENDERER_STARTING, .pid = 8}, ready = {.state = RENDERER_READY, .pid = 9},
                    remote = {.state = RENDERER_STARTING, .pid = 9, .remote = true};
    struct renderer *all[] = {NULL, &starting, &ready, &remote};
    struct crew crew = {0};
    bool awaited;

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_non_null(strstr(told_of(&crew, all[i], 9, &awaited), "none of our renderers said hello"));
        assert_false(awaited);
    }
}

// Whoever killed it, this is seen before its exit is.
static void one_that_cannot_be_reached_is_not_blamed(void **state)
{
    static const struct hub_events events = {0};
    struct crew crew = {0};
    struct renderer renderer = {.state = RENDERER_BUSY, .peer = 5};
    struct roster_task task = {.credit = 1};
    struct chunk_list list = {0};
    struct chunk *chunk = chunk_new(0);
    uv_loop_t loop;
    char endpoint[64];

    (void)state;
    snprintf(endpoint, sizeof(endpoint), "ipc://@renderfarm-test-crew-%d", (int)getpid());
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(hub_open(&crew.hub, &loop, endpoint, "libraries", "processor", &events, NULL), 0);
    crew.spawner = spawner_new(&loop, "/proc/self/exe", -1, false, NULL, NULL);
    chunk_list_put(&list, &chunk);
    crew_send_chunks(&crew, &renderer, &task, &list, NULL);
    assert_true(renderer.cut_off);
    assert_false(renderer.condemned);
    assert_int_equal(task.credit, 1);
    chunk_list_clear(&list);
    spawner_free(&crew.spawner);
    hub_close(&crew.hub);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

// As which number the first attempt at a segment is known to the renderer.
static uint32_t known_as(struct crew *crew, uint32_t peer)
{
    for (uint32_t number = 0; number < 1U << 20; number++) {
        uint32_t own = number;

        if (crew_own_attempt(crew, peer, &own) && own == 1)
            return number;
    }
    fail_msg("there is none");
    return 0;
}

static bool is_own(struct crew *crew, uint32_t peer, uint32_t number)
{
    return crew_own_attempt(crew, peer, &number);
}

// They have segments and attempts of the same numbers.
static void what_comes_twice_of_one_stage_or_file_is_not_taken_for_anothers(void **state)
{
    struct renderer lent = {.state = RENDERER_BUSY, .peer = 5, .job = 2}, same = lent;
    struct crew first = {.borrowed = true, .borrower = 1, .roster = {.renderers = &lent, .count = 1}};
    struct crew second = {.borrowed = true, .borrower = 2, .roster = {.renderers = &same, .count = 1}};
    uint32_t number = known_as(&first, 5);

    (void)state;
    assert_true(is_own(&first, 5, number));
    assert_false(is_own(&second, 5, number));
    lent.job = 4;
    assert_false(is_own(&first, 5, number));
    assert_true(is_own(&first, 5, known_as(&first, 5)));
    assert_false(is_own(&first, 6, known_as(&first, 5))); // whom it does not know
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_starting_is_awaited),
        cmocka_unit_test(one_that_has_ended_with_its_hello_on_the_way_is_not_told_of),
        cmocka_unit_test(a_stranger_is_told_of),
        cmocka_unit_test(one_that_cannot_be_reached_is_not_blamed),
        cmocka_unit_test(what_comes_twice_of_one_stage_or_file_is_not_taken_for_anothers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
