// --report: a page that needs nothing but itself, and that a browser can show (skipped where there is none).
#include "tests/support/trial.h"

#include "tests/support/range.h"

#include <json-c/json.h>

#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

// What is between two texts, the first time that they are there.
static char *between(char *text, const char *from, const char *to)
{
    char *begins = strstr(text, from), *ends = begins ? strstr(begins + strlen(from), to) : NULL;

    if (!ends)
        fail_msg("no '%s' and '%s'", from, to);
    *ends = '\0';
    return begins + strlen(from);
}

static struct json_object *events_of(const char *path)
{
    size_t size;
    struct json_object *events = json_tokener_parse(between(trial_read(path, &size), "id=\"events\">", "</script>"));

    if (!events)
        fail_msg("%s: its events are not JSON", path);
    return events;
}

static int with_name(struct json_object *events, const char *kind, const char *name)
{
    int found = 0;

    for (size_t i = 0; i < json_object_array_length(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i), *value;

        if (json_object_object_get_ex(event, "ph", &value) && strcmp(json_object_get_string(value), kind) == 0 &&
            json_object_object_get_ex(event, "name", &value) && strncmp(json_object_get_string(value), name, strlen(name)) == 0)
            found++;
    }
    return found;
}

static void the_page_holds_the_same_events_as_the_trace(void **state)
{
    const char *page = trial_path("page.html"), *trace = trial_path("trace.json");
    struct json_object *in_page, *in_trace;
    size_t size;

    (void)state;
    trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), "--segment=1", trial_workers(), trial_format("--report=%s", page),
                 trial_format("--trace=%s", trace), NULL);
    in_page = events_of(page);
    in_trace = json_tokener_parse(trial_read(trace, &size));
    assert_non_null(in_trace);
    assert_string_equal(json_object_to_json_string(in_page), json_object_to_json_string(in_trace));
    assert_int_equal(with_name(in_page, "i", "plan"), 1);
    assert_int_equal(with_name(in_page, "i", "end"), 1);
    // Each of them, and on a busy machine perhaps twice: an idle renderer begins the last one as well.
    for (int i = 0; i < 4; i++)
        assert_int_in_range(with_name(in_page, "X", trial_format("segment %d", i)), 1, 2);
    assert_int_equal(with_name(in_page, "X", "segment 4"), 0);
    assert_int_equal(with_name(in_page, "X", "reads"), 4);
    assert_true(with_name(in_page, "X", "writes") >= 4);
    json_object_put(in_page);
    json_object_put(in_trace);
}

static void the_page_asks_nobody_for_anything(void **state)
{
    static const char *const words[] = {"src=", "href=", "url(", "@import", "fetch(", "XMLHttpRequest", "http:", "https:", "//cdn", "@EVENTS@"};
    const char *page = trial_path("page.html");
    char *text;
    size_t size;

    (void)state;
    trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), trial_format("--report=%s", page), NULL);
    text = trial_read(page, &size);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strstr(text, words[i]))
            fail_msg("the page has %s", words[i]);
}

static void names_of_files_cannot_break_out_of_it(void **state)
{
    const char *input = trial_path("</script><b>\"\\.mp4"), *page = trial_path("page.html");
    struct json_object *events;

    (void)state;
    assert_int_equal(system(trial_format("mkdir -p \"$(dirname '%s')\" && cp '%s' '%s'", input, trial_sample("plain.mp4"), input)), 0);
    trial_render(input, trial_path("out.mp4"), trial_format("--report=%s", page), NULL);
    events = events_of(page);
    assert_int_equal(with_name(events, "i", "end"), 1);
    json_object_put(events);
}

static void a_page_that_cannot_be_written_is_told_at_once(void **state)
{
    struct command *command =
        trial_run(trial_sample("plain.mp4"), trial_path("out.mp4"), trial_format("--report=%s/missing/page.html", trial_path("")), NULL);

    (void)state;
    assert_int_equal(command->status, 1);
    assert_non_null(strstr(command->err, "missing/page.html: the report cannot be written"));
    assert_int_equal(access(trial_path("out.mp4"), F_OK), -1);
    command = trial_run(trial_sample("plain.mp4"), trial_path("out.mp4"), trial_format("--report=%s", trial_path("out.mp4")), NULL);
    assert_int_equal(command->status, 2);
    assert_non_null(strstr(command->err, "--report must not be the input or the output"));
    command = trial_run(trial_sample("plain.mp4"), trial_path("out.mp4"), "--report=x", "--trace=x", NULL);
    assert_int_equal(command->status, 2);
}

static size_t times(const char *text, const char *what)
{
    size_t found = 0;

    while ((text = strstr(text, what))) {
        found++;
        text += strlen(what);
    }
    return found;
}

// Without a browser: what the program has of it.
static void each_table_is_filled_once(void **state)
{
    static const char *const tables[] = {"renderers", "coordinator", "slowest"};
    size_t size;
    const char *page = trial_read("coordinator/page.html", &size);

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        assert_int_equal(times(page, trial_format("table(\"%s\"", tables[i])), 1);
}

// The page as a browser has made it, with what looks at it put behind: texts that overlap, or reach over an edge.
static const char *shown(const char *page, const char *scheme)
{
    static const char look[] =
        "<script>\n"
        "let wrong = [];\n"
        "for (const svg of document.querySelectorAll('svg')) {\n"
        "  const edge = svg.getBoundingClientRect(), texts = [...svg.querySelectorAll('text')].map((t) => [t.textContent, "
        "t.getBoundingClientRect()]);\n"
        "  texts.forEach(([name, a], i) => {\n"
        "    if (a.left < edge.left - 1 || a.right > edge.right + 1 || a.bottom > edge.bottom + 1) wrong.push('outside: ' + name);\n"
        "    if (a.height < 8) wrong.push('small: ' + name);\n"
        "    for (const [other, b] of texts.slice(i + 1))\n"
        "      if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom) wrong.push('overlap: ' + name + ' and ' + "
        "other);\n"
        "  });\n"
        "}\n"
        "if (document.documentElement.scrollWidth > innerWidth) wrong.push('wider than the window');\n"
        "document.body.setAttribute('data-looked', wrong.join('; ') || 'well');\n"
        "</script>\n";
    const char *looked = trial_path("looked.html"), *home = trial_path("home");
    size_t size;
    const char *text = trial_read(page, &size), *whole = trial_format("%s%s", text, look);

    trial_write(looked, whole, strlen(whole));
    assert_int_equal(system(trial_format("mkdir -p '%s'", home)), 0);
    return trial_output(ARGUMENTS("env", trial_format("HOME=%s", home), trial_format("TMPDIR=%s", home), "XDG_RUNTIME_DIR=", "chromium",
                                  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-crash-reporter",
                                  "--disable-breakpad", "--no-first-run", trial_format("--user-data-dir=%s/profile", home),
                                  trial_format("--blink-settings=preferredColorScheme=%s", scheme), "--window-size=1320,1500",
                                  "--virtual-time-budget=4000", "--dump-dom", trial_format("file://%s", looked)));
}

static void a_browser_shows_it(void **state)
{
    static const char *const filters[] = {"unsharp", "hqdn3d,unsharp"};
    const char *page = trial_path("page.html");

    (void)state;
    if (system("command -v chromium >/dev/null") != 0) {
        print_message("without chromium\n");
        skip();
    }
    for (size_t i = 0; i < 2; i++) {
        const char *dom;

        trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), "-y", "--segment=0.5", "--workers=3", trial_format("--filter=%s", filters[i]),
                     trial_format("--report=%s", page), NULL);
        dom = shown(page, i ? "0" : "1");
        if (!strstr(dom, "data-looked=\"well\""))
            fail_msg("%.300s", strstr(dom, "data-looked=") ? strstr(dom, "data-looked=") : "its script came to no end");
        assert_non_null(strstr(dom, "renderer 2"));
        assert_non_null(strstr(dom, "coordinator: writing"));
        assert_non_null(strstr(dom, "of the cores"));
        assert_non_null(strstr(dom, "<b>96</b>"));
        assert_non_null(strstr(dom, "<td>renderer 0: "));
        assert_int_equal(times(dom, "<td>coordinator: loop"), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(the_page_holds_the_same_events_as_the_trace),   TRIAL(the_page_asks_nobody_for_anything), TRIAL(names_of_files_cannot_break_out_of_it),
        TRIAL(a_page_that_cannot_be_written_is_told_at_once), TRIAL(each_table_is_filled_once),         TRIAL(a_browser_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
