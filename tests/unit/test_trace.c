// Events of a trace: text that is JSON, whatever the names are.
#include "coordinator/trace.h"

#include "tests/support/range.h"

#include <json-c/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void any_name_gives_json(void **state)
{
    static const char *const names[] = {"segment 3", "", "a \"quoted\" \\ name", "line\nbreak\t\x01", "µ and 中"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct json_object *event, *value;
        char text[1000];
        int length = trace_slice_text(text, sizeof(text), names[i], 7, 1.5, 2.25, "\"segment\":3");

        assert_int_in_range(length, 1, sizeof(text) - 1);
        assert_int_equal(text[0], ','); // between events
        event = json_tokener_parse(text + 1);
        assert_non_null(event);
        assert_true(json_object_object_get_ex(event, "name", &value));
        assert_string_equal(json_object_get_string(value), names[i]);
        assert_true(json_object_object_get_ex(event, "dur", &value));
        assert_true(json_object_get_double(value) == 2.25);
        json_object_put(event);
    }
}

// What a strict reader makes of the name of an event.
static const char *name_in(const char *given, struct json_object **event)
{
    struct json_tokener *strict = json_tokener_new();
    struct json_object *value;
    static char text[1000];

    json_tokener_set_flags(strict, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    trace_slice_text(text, sizeof(text), given, 7, 1.5, 2.25, "");
    *event = json_tokener_parse_ex(strict, text + 1, (int)strlen(text + 1));
    json_tokener_free(strict);
    if (!*event)
        fail_msg("no JSON: %s", text);
    assert_true(json_object_object_get_ex(*event, "name", &value));
    return json_object_get_string(value);
}

static void what_is_no_utf8_is_replaced(void **state)
{
    static const struct {
        const char *name, *shown;
    } cases[] = {
        {"caf\xe9", "caf\uFFFD"},
        {"\xe9\xe9.mp4", "\uFFFD\uFFFD.mp4"},
        {"\xe4\xb8", "\uFFFD\uFFFD"}, // the beginning of 中
        {"\xc0\xaf\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"},
        {"\xe9\"<\\", "\uFFFD\"<\\"},
        {"\xf0\x9f\x8e\xac 中", "\U0001F3AC 中"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct json_object *event;

        assert_string_equal(name_in(cases[i].name, &event), cases[i].shown);
        json_object_put(event);
    }
}

static void long_names_are_cut_between_characters(void **state)
{
    char name[600];

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        struct json_object *event;
        const char *shown;

        memset(name, 'x', shift);
        for (size_t at = shift; at + 4 <= sizeof(name); at += 3)
            memcpy(name + at, "中", 4);
        shown = name_in(name, &event);
        assert_int_in_range(strlen(shown), 200, 300);
        assert_int_equal((strlen(shown) - shift) % 3, 0);
        assert_memory_equal(shown, name, strlen(shown));
        json_object_put(event);
    }
}

static void a_time_that_ran_backwards_has_no_length(void **state)
{
    char text[1000];

    (void)state;
    trace_slice_text(text, sizeof(text), "turn", 1, 5, -1, "");
    assert_non_null(strstr(text, "\"dur\":0.000"));
}

static void without_a_trace_nothing_happens(void **state)
{
    struct trace *none = NULL;

    (void)state;
    trace_turn(none, 0, 1000000000);
    trace_finished(none, 1, 2);
    trace_written(none, 1, 3);
    trace_counters(none, 0, &(struct trace_counts){0});
    assert_false(trace_busy(none));
    assert_int_equal(trace_close(&none), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_name_gives_json),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(a_time_that_ran_backwards_has_no_length),
        cmocka_unit_test(without_a_trace_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
