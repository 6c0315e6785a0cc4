#include "coordinator/memory.h"
#include "coordinator/options.h"
#include "coordinator/sheet.h"

#include "common/cores.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_near(double value, double wanted, double room)
{
    if (!(fabs(value - wanted) <= room))
        fail_msg("%g is not %g", value, wanted);
}

enum { MOST_WORDS = 16 };

static struct options options;
static char said_out[16384], said_err[4096]; // what the last call printed

static void read_back(FILE *file, int fd, int saved, char *text, size_t size)
{
    size_t length;

    dup2(saved, fd);
    close(saved);
    rewind(file);
    length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
}

// Parses the words, up to a NULL.
static enum options_outcome parse(const char *first, ...)
{
    char *argv[MOST_WORDS + 2] = {strdup("renderfarm")};
    enum options_outcome outcome;
    FILE *out = tmpfile(), *err = tmpfile();
    int saved_out, saved_err, argc = 1;
    va_list words;

    assert_non_null(out);
    assert_non_null(err);
    va_start(words, first);
    for (const char *word = first; word; word = va_arg(words, const char *)) {
        assert_true(argc <= MOST_WORDS);
        argv[argc++] = strdup(word);
    }
    va_end(words);
    options_clear(&options);
    fflush(stdout);
    fflush(stderr);
    saved_out = dup(STDOUT_FILENO);
    saved_err = dup(STDERR_FILENO);
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    outcome = options_parse(&options, argc, argv);
    fflush(stdout);
    fflush(stderr);
    read_back(out, STDOUT_FILENO, saved_out, said_out, sizeof(said_out));
    read_back(err, STDERR_FILENO, saved_err, said_err, sizeof(said_err));
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return outcome;
}

#define PARSE(...) parse(__VA_ARGS__, (const char *)NULL)

static int clear(void **state)
{
    (void)state;
    options_clear(&options);
    return 0;
}

static void expect_refusal(enum options_outcome outcome, const char *message)
{
    char line[1200];

    snprintf(line, sizeof(line), "renderfarm: %s (try renderfarm --help)\n", message);
    assert_string_equal(said_err, line);
    assert_int_equal(outcome, OPTIONS_USAGE);
    assert_string_equal(said_out, "");
    assert_null(options.input);
}

#define REFUSES(message, ...) expect_refusal(PARSE(__VA_ARGS__), message)

static void expect_pair(size_t i, const char *key, const char *value)
{
    assert_true(i < options.encoder_option_count);
    assert_string_equal(options.encoder_options[i].key, key);
    assert_string_equal(options.encoder_options[i].value, value);
}

static void two_names_are_enough(void **state)
{
    (void)state;
    assert_int_equal(PARSE("in.mp4", "out.mp4"), OPTIONS_RUN);
    assert_string_equal(options.input, "in.mp4");
    assert_string_equal(options.output, "out.mp4");
    assert_int_equal(options.workers, cores_usable() > 1024 ? 1024 : cores_usable());
    assert_int_equal(options.threads, 1);
    assert_string_equal(options.filter, "");
    assert_null(options.codec);
    assert_null(options.pixel_format);
    assert_null(options.stats_path);
    assert_int_equal(options.encoder_option_count, 0);
    assert_int_equal(options.progress, PROGRESS_AUTO);
    assert_int_equal(options.verbosity, 0);
    assert_near(options.segment_s, 0, 0);
    assert_false(options.one_segment || options.no_audio || options.no_subtitles || options.no_autorotate || options.overwrite);
    assert_string_equal(said_out, "");
    assert_string_equal(said_err, "");
}

static void options_may_stand_anywhere(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-j", "3", "in.mp4", "--filter=scale=2:2,null", "out.mp4", "-y", "--threads", "4"), OPTIONS_RUN);
    assert_int_equal(options.workers, 3);
    assert_int_equal(options.threads, 4);
    assert_string_equal(options.filter, "scale=2:2,null");
    assert_true(options.overwrite);
    assert_string_equal(options.input, "in.mp4");
    assert_string_equal(options.output, "out.mp4");
}

static void sizes_are_numbers_with_a_letter_or_shares(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--memory=1500k", "--on-poison=copy", "a", "b"), OPTIONS_RUN);
    assert_true(options.memory_bytes == 1500 << 10);
    assert_int_equal(options.on_poison, POISON_COPY);
    assert_int_equal(PARSE("--memory=100%", "a", "b"), OPTIONS_RUN);
    assert_true(options.memory_bytes == memory_of_machine());
    assert_int_equal(PARSE("a", "b"), OPTIONS_RUN);
    assert_true(options.memory_bytes < memory_of_machine());
    assert_int_equal(options.on_poison, POISON_STOP);
    assert_int_equal(PARSE("--memory=0", "a", "b"), OPTIONS_USAGE);
    assert_int_equal(PARSE("--memory=-1G", "a", "b"), OPTIONS_USAGE);
    assert_int_equal(PARSE("--memory=101%", "a", "b"), OPTIONS_USAGE);
    assert_int_equal(PARSE("--memory=1Gb", "a", "b"), OPTIONS_USAGE);
    assert_int_equal(PARSE("--memory=nan", "a", "b"), OPTIONS_USAGE);
    assert_int_equal(PARSE("--on-poison=eat", "a", "b"), OPTIONS_USAGE);
}

static void behind_two_dashes_everything_is_a_name(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-y", "--", "-in.mp4", "--out.mp4"), OPTIONS_RUN);
    assert_string_equal(options.input, "-in.mp4");
    assert_string_equal(options.output, "--out.mp4");
}

static void short_and_long_forms_are_the_same(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-j2", "-t3", "-fnull", "-clibx264", "-yq", "a", "b"), OPTIONS_RUN);
    assert_int_equal(options.workers, 2);
    assert_int_equal(options.threads, 3);
    assert_string_equal(options.filter, "null");
    assert_string_equal(options.codec, "libx264");
    assert_true(options.overwrite);
    assert_int_equal(options.verbosity, -1);
    assert_int_equal(PARSE("--vf", "hflip", "--codec", "ffv1", "a", "b"), OPTIONS_RUN);
    assert_string_equal(options.filter, "hflip");
    assert_string_equal(options.codec, "ffv1");
}

static void the_last_of_an_option_wins(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-j2", "--workers=5", "-f", "hflip", "-f", "vflip", "--segment=0", "--segment=2.5", "-q", "-v", "a", "b"), OPTIONS_RUN);
    assert_int_equal(options.workers, 5);
    assert_string_equal(options.filter, "vflip");
    assert_near(options.segment_s, 2.5, 1e-9);
    assert_false(options.one_segment);
    assert_int_equal(options.verbosity, 1);
}

static void an_empty_filter_is_no_filter(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--filter=", "a", "b"), OPTIONS_RUN);
    assert_string_equal(options.filter, "");
}

static void twice_verbose_is_the_most(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-v", "a", "b"), OPTIONS_RUN);
    assert_int_equal(options.verbosity, 1);
    assert_int_equal(PARSE("-vv", "a", "b"), OPTIONS_RUN);
    assert_int_equal(options.verbosity, 2);
    assert_int_equal(PARSE("-vvv", "--verbose", "a", "b"), OPTIONS_RUN);
    assert_int_equal(options.verbosity, 2);
}

static void switches_switch(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--no-audio", "--no-subtitles", "--no-other-video", "--no-autorotate", "--overwrite", "--verify", "--pix-fmt=yuv420p",
                           "--stats=s.json", "a", "b"),
                     OPTIONS_RUN);
    assert_true(options.no_other_video && options.no_audio && options.no_subtitles && options.no_autorotate && options.overwrite && options.verify);
    assert_string_equal(options.pixel_format, "yuv420p");
    assert_string_equal(options.stats_path, "s.json");
}

static void segment_of_zero_is_one_segment(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--segment=0", "a", "b"), OPTIONS_RUN);
    assert_true(options.one_segment);
    REFUSES("--segment must be a length in seconds, or 0 for one segment, not '-1'", "--segment=-1", "a", "b");
    REFUSES("--segment must be a length in seconds, or 0 for one segment, not 'nan'", "--segment=nan", "a", "b");
    REFUSES("--segment must be a length in seconds, or 0 for one segment, not 'inf'", "--segment=inf", "a", "b");
    REFUSES("--segment must be a length in seconds, or 0 for one segment, not '2s'", "--segment=2s", "a", "b");
}

static void every_way_of_progress_is_known(void **state)
{
    static const struct {
        const char *word;
        enum progress_mode mode;
    } modes[] = {
        {"--progress=auto", PROGRESS_AUTO}, {"--progress=bar", PROGRESS_BAR}, {"--progress=json", PROGRESS_JSON}, {"--progress=off", PROGRESS_OFF}};

    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(PARSE(modes[i].word, "a", "b"), OPTIONS_RUN);
        assert_int_equal(options.progress, modes[i].mode);
    }
    REFUSES("--progress must be auto, bar, json or off, not 'loud'", "--progress=loud", "a", "b");
}

static void encoder_options_keep_their_order(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--crf=18.5", "--preset=slow", "--encoder-options=tune=film:g=48", "--bitrate", "2.5M", "--crf=20", "a", "b"),
                     OPTIONS_RUN);
    assert_int_equal(options.encoder_option_count, 6);
    expect_pair(0, "crf", "18.5");
    expect_pair(1, "preset", "slow");
    expect_pair(2, "tune", "film");
    expect_pair(3, "g", "48");
    expect_pair(4, "b", "2.5M");
    expect_pair(5, "crf", "20");
}

static void colons_in_encoder_options_are_escaped_or_quoted_as_for_ffmpeg(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--encoder-options=x264-params=keyint=48\\:bframes=0:x='a:b\\c': y = two words ", "a", "b"), OPTIONS_RUN);
    assert_int_equal(options.encoder_option_count, 3);
    expect_pair(0, "x264-params", "keyint=48:bframes=0");
    expect_pair(1, "x", "a:b\\c");
    expect_pair(2, "y", "two words");
}

static void encoder_options_without_key_or_value_are_refused(void **state)
{
    static const char *const wrong[] = {"tune", "=film", "tune=", "a=1:", "a=1::b=2", "a=1:b", ":"};
    char word[64], message[128];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(word, sizeof(word), "--encoder-options=%s", wrong[i]);
        snprintf(message, sizeof(message), "--encoder-options must be key=value:key=value..., not '%s'", wrong[i]);
        REFUSES(message, word, "a", "b");
    }
}

static void rates_have_the_suffixes_of_ffmpeg(void **state)
{
    static const char *const right[] = {"800k", "2M", "2.5M", "1G", "500000", "800K"}, *const wrong[] = {"fast", "-1",  "0",   "2MM",
                                                                                                         "2x",   "nan", "inf", " 1"};
    char word[64], message[128];

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        snprintf(word, sizeof(word), "--bitrate=%s", right[i]);
        assert_int_equal(PARSE(word, "a", "b"), OPTIONS_RUN);
        expect_pair(0, "b", right[i]);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(word, sizeof(word), "--bitrate=%s", wrong[i]);
        snprintf(message, sizeof(message), "--bitrate must be a rate such as 800k or 2.5M, not '%s'", wrong[i]);
        REFUSES(message, word, "a", "b");
    }
}

static void counts_outside_their_range_are_refused(void **state)
{
    static const char *const wrong[] = {"0", "-1", "1025", "2x", "x", "1.5", "nan", " 2", "+2", "0x2", "99999999999999999999"};
    char word[64], message[128];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(word, sizeof(word), "--workers=%s", wrong[i]);
        snprintf(message, sizeof(message), "--workers must be a number from 1 to 1024, not '%s'", wrong[i]);
        REFUSES(message, word, "a", "b");
    }
    assert_int_equal(PARSE("--workers=1024", "--threads=64", "a", "b"), OPTIONS_RUN);
    REFUSES("--threads must be a number from 1 to 64, not '65'", "-t65", "a", "b");
    REFUSES("--crf must be a number, not 'nan'", "--crf=nan", "a", "b");
    REFUSES("--crf must be a number, not '18q'", "--crf=18q", "a", "b");
}

static void values_that_are_missing_or_empty_are_asked_for(void **state)
{
    (void)state;
    REFUSES("--workers needs a value", "a", "b", "-j");
    REFUSES("--workers needs a value", "a", "b", "-vj");
    REFUSES("--workers needs a value", "a", "b", "--workers");
    REFUSES("--codec needs a value", "a", "b", "--codec=");
    REFUSES("--stats needs a value", "--stats", "", "a", "b");
    REFUSES("--encoder-options needs a value", "--encoder-options=", "a", "b");
}

static void options_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    REFUSES("--cache and --no-cache exclude each other", "--cache=x", "--no-cache", "a", "b");
    REFUSES("--trace must not be the input or the output", "--trace=a", "a", "b");
    REFUSES("--trace must not be the input or the output", "--trace=b", "a", "b");
    REFUSES("--stats must not be the input or the output", "--stats=b", "a", "./b");
    REFUSES("--stats and --trace must not be the same file", "--stats=c", "--trace=c", "a", "b");
    assert_int_equal(PARSE("--trace=c", "--cache=d", "--cache-limit=2G", "a", "b"), OPTIONS_RUN);
    assert_string_equal(options.trace_path, "c");
    assert_string_equal(options.cache_path, "d");
    assert_int_equal(options.cache_limit, UINT64_C(2) << 30);
}

static void frames_are_chosen_behind_the_chain(void **state)
{
    static const char *const chains[][2] = {
        {"", ""},
        {"negate", "negate,"},
        {"split[a][b];[a][b]overlay[out]", "split[a][b];[a][b]overlay,"},
        {"[in]negate [out] ", "[in]negate ,"},
        {"drawtext=text=x\\ ", "drawtext=text=x\\ ,"},
        {"drawtext=text='[x]'", "drawtext=text='[x]',"},
        {"drawtext=text=\\[x\\]", "drawtext=text=\\[x\\],"},
    };
    char *text;

    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        char wanted[200];

        snprintf(wanted, sizeof(wanted), "%sselect='not(mod(n,10))'", chains[i][1]);
        assert_int_equal(PARSE("--every=10", "--filter", chains[i][0], "a", "b"), OPTIONS_RUN);
        assert_string_equal(options.filter, wanted);
        assert_int_equal(PARSE("--poster", "--filter", chains[i][0], "a", "b.png"), OPTIONS_RUN);
        text = sheet_filters(&options, 10, 0.1);
        snprintf(wanted, sizeof(wanted), "%sselect='isnan(prev_selected_t)*gte(t,1.000000)'", chains[i][1]);
        assert_string_equal(text, wanted);
        free(text);
    }
}

static void unknown_options_are_named(void **state)
{
    (void)state;
    REFUSES("there is no option --frobnicate, or it is ambiguous", "--frobnicate", "a", "b");
    REFUSES("there is no option --frobnicate, or it is ambiguous", "a", "b", "--frobnicate=3");
    REFUSES("there is no option --ver, or it is ambiguous", "--ver", "a", "b");
    REFUSES("there is no option -Z", "-Z", "a", "b");
    REFUSES("there is no option -Z", "--no-audio", "-Zv", "a", "b");
    REFUSES("there is no option -Z", "-vZ", "a", "b");
    REFUSES("there is no option -\\xc3", "-\xc3\xa9", "a", "b");
    REFUSES("--overwrite takes no value", "--overwrite=yes", "a", "b");
    REFUSES("--help takes no value", "--help=me", "a", "b");
    REFUSES("--no-audio takes no value", "--no-audio=1", "a", "b");
}

static void names_are_one_and_one(void **state)
{
    (void)state;
    REFUSES("an input and an output are needed", "-y");
    REFUSES("an input and an output are needed", "a");
    REFUSES("one input and one output, please: 'c' is too many", "a", "b", "c", "d");
    REFUSES("a file name is empty", "", "b");
    REFUSES("a file name is empty", "a", "");
}

static void a_refusal_stays_on_one_line(void **state)
{
    (void)state;
    REFUSES("--workers must be a number from 1 to 1024, not '2?rm ?x'", "--workers=2\nrm \tx", "a", "b");
}

static void an_endless_value_is_cut_short(void **state)
{
    char word[9000] = "--workers=";

    (void)state;
    memset(word + strlen(word), 'x', sizeof(word) - strlen(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_int_equal(PARSE(word, "a", "b"), OPTIONS_USAGE);
    assert_true(strlen(said_err) < 1200);
    assert_ptr_equal(strchr(said_err, '\n'), said_err + strlen(said_err) - 1);
}

static void help_names_every_option_and_goes_to_stdout(void **state)
{
    static const char *const words[] = {
        "--workers",         "--threads",       "--filter",  "--vf",      "--codec",    "--crf",          "--preset",
        "--bitrate",         "encoder-options", "--pix-fmt", "--segment", "--no-audio", "--no-subtitles", "--no-autorotate",
        "--overwrite",       "--progress",      "--stats",   "--verbose", "--quiet",    "--help",         "--version",
        "-filter_threads 8", "Exit status",     "128+N"};

    (void)state;
    assert_int_equal(PARSE("--help"), OPTIONS_EXIT_OK);
    assert_string_equal(said_err, "");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strstr(said_out, words[i]))
            fail_msg("--help does not mention %s", words[i]);
    for (const char *line = said_out; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
}

static void filters_to_vouch_for_are_gathered(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--parallel-safe=hqdn3d,tmix", "--parallel-safe=frei0r", "a", "b"), OPTIONS_RUN);
    assert_int_equal(options.vouched_count, 3);
    assert_string_equal(options.vouched[1], "tmix");
    assert_string_equal(options.vouched[2], "frei0r");
    options_clear(&options);
    assert_int_equal(PARSE("--parallel-safe=hqdn3d,", "a", "b"), OPTIONS_USAGE);
    assert_int_equal(PARSE("--parallel-safe=,x", "a", "b"), OPTIONS_USAGE);
}

static void help_and_version_need_no_names(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-h"), OPTIONS_EXIT_OK);
    assert_int_equal(PARSE("-V"), OPTIONS_EXIT_OK);
    assert_string_equal(said_out, "renderfarm " RENDERFARM_VERSION "\n");
    assert_int_equal(PARSE("--version", "--nonsense"), OPTIONS_EXIT_OK);
}

static void a_second_command_line_starts_from_the_beginning(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-j7", "--no-audio", "a", "b"), OPTIONS_RUN);
    assert_int_equal(PARSE("c", "-y", "d"), OPTIONS_RUN);
    assert_string_equal(options.input, "c");
    assert_string_equal(options.output, "d");
    assert_false(options.no_audio);
    assert_true(options.overwrite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(two_names_are_enough, clear),
        cmocka_unit_test_teardown(options_may_stand_anywhere, clear),
        cmocka_unit_test_teardown(behind_two_dashes_everything_is_a_name, clear),
        cmocka_unit_test_teardown(short_and_long_forms_are_the_same, clear),
        cmocka_unit_test_teardown(the_last_of_an_option_wins, clear),
        cmocka_unit_test_teardown(an_empty_filter_is_no_filter, clear),
        cmocka_unit_test_teardown(twice_verbose_is_the_most, clear),
        cmocka_unit_test_teardown(switches_switch, clear),
        cmocka_unit_test_teardown(segment_of_zero_is_one_segment, clear),
        cmocka_unit_test_teardown(every_way_of_progress_is_known, clear),
        cmocka_unit_test_teardown(encoder_options_keep_their_order, clear),
        cmocka_unit_test_teardown(colons_in_encoder_options_are_escaped_or_quoted_as_for_ffmpeg, clear),
        cmocka_unit_test_teardown(encoder_options_without_key_or_value_are_refused, clear),
        cmocka_unit_test_teardown(rates_have_the_suffixes_of_ffmpeg, clear),
        cmocka_unit_test_teardown(counts_outside_their_range_are_refused, clear),
        cmocka_unit_test_teardown(values_that_are_missing_or_empty_are_asked_for, clear),
        cmocka_unit_test_teardown(frames_are_chosen_behind_the_chain, clear),
        cmocka_unit_test_teardown(unknown_options_are_named, clear),
        cmocka_unit_test_teardown(names_are_one_and_one, clear),
        cmocka_unit_test_teardown(a_refusal_stays_on_one_line, clear),
        cmocka_unit_test_teardown(an_endless_value_is_cut_short, clear),
        cmocka_unit_test_teardown(filters_to_vouch_for_are_gathered, clear),
        cmocka_unit_test_teardown(options_that_do_not_go_together_are_refused, clear),
        cmocka_unit_test_teardown(sizes_are_numbers_with_a_letter_or_shares, clear),
        cmocka_unit_test_teardown(help_names_every_option_and_goes_to_stdout, clear),
        cmocka_unit_test_teardown(help_and_version_need_no_names, clear),
        cmocka_unit_test_teardown(a_second_command_line_starts_from_the_beginning, clear),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
