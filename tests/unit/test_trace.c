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
    trace_counters(none, 0, 0, 0, 0);
    assert_false(trace_busy(none));
    assert_int_equal(trace_close(&none), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_name_gives_json),
        cmocka_unit_test(a_time_that_ran_backwards_has_no_length),
        cmocka_unit_test(without_a_trace_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
