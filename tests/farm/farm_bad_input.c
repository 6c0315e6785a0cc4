// Each way to be handed nonsense: one clear line that names the file and the cause, the right exit status, and nothing left behind.
#include "tests/support/trial.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { FAILED = 1, USAGE = 2 };

// The folder that outputs go to; nothing else is in it.
static const char *out_folder(void)
{
    const char *folder = trial_path("out");

    mkdir(folder, 0755);
    return folder;
}

static const char *out(const char *name)
{
    return trial_format("%s/%s", out_folder(), name);
}

// The command ended with this status and said one line with these words in it.
static void assert_refused(const struct command *command, int status, const char *word, const char *cause)
{
    const char *end = strchr(command->err, '\n');

    if (command->status != status || !end || end[1] || !strstr(command->err, word) || !strstr(command->err, cause))
        fail_msg("wanted status %d and one line with \"%s\" and \"%s\", got status %d and\n%s", status, word, cause, command->status, command->err);
    if (strstr(command->err, "Assertion") || strstr(command->err, "ERROR: AddressSanitizer"))
        fail_msg("%s", command->err);
    trial_assert_nothing_left();
}

static void assert_no_output(void)
{
    trial_assert_only(out_folder(), NULL);
}

static void missing_input_is_named(void **state)
{
    (void)state;
    assert_refused(trial_run(trial_path("nowhere.mp4"), out("o.mp4"), NULL), FAILED, "nowhere.mp4", "no such file");
    assert_no_output();
}

// The list is there; what is missing is a file that it names.
static void what_a_list_of_files_lacks_is_named(void **state)
{
    static const char list[] = "ffconcat version 1.0\nfile nowhere.mp4\n", unsafe[] = "ffconcat version 1.0\nfile ../nowhere.mp4\n";

    (void)state;
    trial_write(trial_path("list.ffconcat"), list, sizeof(list) - 1);
    assert_refused(trial_run(trial_path("list.ffconcat"), out("o.mp4"), NULL), FAILED, "list.ffconcat cannot be opened", "nowhere.mp4'");
    trial_write(trial_path("list.ffconcat"), unsafe, sizeof(unsafe) - 1);
    assert_refused(trial_run(trial_path("list.ffconcat"), out("o.mp4"), NULL), FAILED, "list.ffconcat cannot be opened", "Unsafe file name");
    assert_no_output();
}

static void empty_input_is_named(void **state)
{
    (void)state;
    trial_write(trial_path("empty.mp4"), "", 0);
    assert_refused(trial_run(trial_path("empty.mp4"), out("o.mp4"), NULL), FAILED, "empty.mp4", "empty");
    assert_no_output();
}

static void directory_as_input_is_named(void **state)
{
    (void)state;
    mkdir(trial_path("folder"), 0755);
    assert_refused(trial_run(trial_path("folder"), out("o.mp4"), NULL), FAILED, "folder", "director");
    assert_no_output();
}

static void text_file_as_input_is_named(void **state)
{
    char text[4000];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "just some words\n"[i % 16];
    trial_write(trial_path("words.txt"), text, sizeof(text));
    assert_refused(trial_run(trial_path("words.txt"), out("o.mp4"), NULL), FAILED, "words.txt", "text");
    assert_no_output();
}

static void input_without_video_is_named(void **state)
{
    (void)state;
    assert_refused(trial_run(trial_sample("audio.m4a"), out("o.mp4"), NULL), FAILED, "audio.m4a", "no video stream");
    assert_no_output();
}

// Writes the first part of a sample.
static const char *truncated(const char *sample, const char *name, double part)
{
    const char *path = trial_path(name);
    size_t size;
    void *data = trial_read(trial_sample(sample), &size);

    trial_write(path, data, (size_t)((double)size * part));
    return path;
}

static void truncated_input_renders_what_decodes_and_says_so(void **state)
{
    const char *input = truncated("plain.mkv", "half.mkv", 0.5), *output = out("o.mkv"), *expected = trial_path("expected.mkv");
    struct command *command;

    (void)state;
    command = trial_run(input, output, "--codec=ffv1", "--no-audio", trial_workers(), NULL);
    assert_refused(command, 0, "half.mkv", "end");
    trial_ffmpeg("-i", input, "-map", "0:v:0", "-c:v", "ffv1", "-fps_mode", "passthrough", expected, NULL);
    trial_assert_same_frames(output, expected);
    trial_assert_only(out_folder(), "o.mkv", NULL);
}

static void input_whose_index_is_cut_off_is_named(void **state)
{
    (void)state;
    assert_refused(trial_run(truncated("plain.mp4", "half.mp4", 0.5), out("o.mp4"), NULL), FAILED, "half.mp4", "has lost its index");
    assert_no_output();
}

static void damaged_input_renders_what_decodes_and_says_so(void **state)
{
    size_t size;
    unsigned char *data = trial_read(trial_sample("plain.mkv"), &size);
    const char *input = trial_path("damaged.mkv"), *output = out("o.mkv");
    struct command *command;

    (void)state;
    for (size_t i = size / 2; i < size / 2 + 3000; i++)
        data[i] = (unsigned char)(i * 37);
    trial_write(input, data, size);
    command = trial_run(input, output, "--codec=ffv1", "--no-audio", trial_workers(), NULL);
    assert_int_equal(command->status, 0);
    assert_non_null(strstr(command->err, "damaged.mkv"));
    trial_assert_nothing_left();
    trial_assert_only(out_folder(), "o.mkv", NULL);
}

static void output_that_exists_is_kept(void **state)
{
    const char *output = out("o.mp4");
    size_t size;

    (void)state;
    trial_write(output, "precious", 8);
    assert_refused(trial_run(trial_sample("plain.mp4"), output, NULL), FAILED, "o.mp4", "--overwrite");
    assert_string_equal(trial_read(output, &size), "precious");
    trial_assert_only(out_folder(), "o.mp4", NULL);
}

static void output_that_exists_survives_a_failed_overwrite(void **state)
{
    const char *output = out("o.mp4");
    size_t size;

    (void)state;
    trial_write(output, "precious", 8);
    assert_int_equal(trial_run(truncated("plain.mp4", "half.mp4", 0.5), output, "--overwrite", NULL)->status, FAILED);
    assert_string_equal(trial_read(output, &size), "precious");
    trial_assert_only(out_folder(), "o.mp4", NULL);
}

static void output_that_is_the_input_is_refused_even_with_overwrite(void **state)
{
    const char *input = truncated("plain.mp4", "copy.mp4", 1), *before = trial_sha256(input), *other = out("other-name.mp4");
    struct command *command;

    (void)state;
    command = trial_run(input, input, "--overwrite", NULL);
    assert_true(command->status == FAILED || command->status == USAGE);
    assert_refused(command, command->status, "copy.mp4", "input");
    assert_int_equal(symlink(input, other), 0);
    command = trial_run(input, other, "--overwrite", NULL);
    assert_refused(command, command->status, "other-name.mp4", "input");
    assert_int_not_equal(command->status, 0);
    assert_string_equal(trial_sha256(input), before);
}

static void output_folder_that_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused(trial_run(trial_sample("plain.mp4"), trial_path("nowhere/o.mp4"), NULL), FAILED, "nowhere/o.mp4", "no folder");
    trial_assert_only(trial_path("."), "tmp", NULL);
}

static void output_folder_that_is_read_only_is_named(void **state)
{
    struct command command;

    (void)state;
    chmod(out_folder(), 0555);
    // Root writes where it likes, so it leaves that power behind first.
    if (access(out_folder(), W_OK) == 0)
        command_run(&command,
                    ARGUMENTS("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override", trial_program(), trial_sample("plain.mp4"),
                              out("o.mp4")),
                    60);
    else
        command_run(&command, ARGUMENTS(trial_program(), trial_sample("plain.mp4"), out("o.mp4")), 60);
    assert_refused(&command, FAILED, "out/o.mp4", "ermission");
    assert_no_output();
    command_clear(&command);
}

static void unknown_container_is_named(void **state)
{
    struct command *command = trial_run(trial_sample("plain.mp4"), out("o.unheardof"), NULL);

    (void)state;
    assert_true(command->status == FAILED || command->status == USAGE);
    assert_refused(command, command->status, "o.unheardof", "");
    assert_no_output();
}

// One option that makes no sense.
static void assert_usage(const char *option, const char *word)
{
    assert_refused(trial_run(trial_sample("plain.mp4"), out("o.mp4"), option, NULL), USAGE, word, "");
    assert_no_output();
}

static void unknown_filter_is_named(void **state)
{
    (void)state;
    assert_usage("--filter=hflip,nosuchfilter=3", "nosuchfilter");
}

static void filter_option_that_makes_no_sense_is_named(void **state)
{
    struct command *command = trial_run(trial_sample("plain.mp4"), out("o.mp4"), "--filter=gblur=sigma=many", NULL);

    (void)state;
    assert_refused(command, command->status, "gblur", "");
    assert_int_not_equal(command->status, 0);
    assert_no_output();
}

static void unknown_codec_is_named(void **state)
{
    (void)state;
    assert_usage("--codec=nosuchcodec", "nosuchcodec");
}

static void encoder_option_that_does_not_exist_is_named(void **state)
{
    (void)state;
    assert_usage("--encoder-options=nosuchoption=3", "nosuchoption");
    assert_usage("--crf=-5", "crf=-5");
}

static void option_values_that_make_no_sense_are_named(void **state)
{
    static const char *const wrong[][2] = {
        {"--workers=0", "workers"},      {"--workers=-3", "workers"},        {"--workers=many", "workers"},
        {"--threads=0", "threads"},      {"--segment=-1", "segment"},        {"--segment=x", "segment"},
        {"--progress=purple", "purple"}, {"--nosuchoption", "nosuchoption"}, {"--pix-fmt=nosuchformat", "nosuchformat"},
        {"--encoder-options=x", "x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_usage(wrong[i][0], wrong[i][1]);
}

static void too_few_and_too_many_names_are_wrong_use(void **state)
{
    struct command *command;

    (void)state;
    command = trial_start(ARGUMENTS(trial_sample("plain.mp4")));
    command_wait(command, 60);
    assert_int_equal(command->status, USAGE);
    command = trial_start(ARGUMENTS(trial_sample("plain.mp4"), out("o.mp4"), out("p.mp4")));
    command_wait(command, 60);
    assert_int_equal(command->status, USAGE);
    assert_no_output();
}

static void pipes_are_refused_as_input_and_as_output(void **state)
{
    (void)state;
    assert_refused(trial_run("-", out("o.mp4"), NULL), FAILED, "- ", "is a pipe");
    assert_refused(trial_run("pipe:0", out("o.mp4"), NULL), FAILED, "pipe:0", "is a pipe");
    assert_refused(trial_run(trial_sample("plain.mp4"), "-", NULL), USAGE, "-: ", "an ordinary file");
    assert_refused(trial_run(trial_sample("plain.mp4"), "/dev/null", NULL), USAGE, "/dev/null", "an ordinary file");
    assert_no_output();
}

static void one_picture_is_shown_the_ways_to_make_it(void **state)
{
    (void)state;
    assert_refused(trial_run(trial_sample("plain.mp4"), out("o.png"), NULL), USAGE, "o.png", "--poster");
    assert_refused(trial_run(trial_sample("plain.mp4"), out("%04d.jpg"), NULL), USAGE, "%04d.jpg", "frames/%06d.png");
    assert_no_output();
}

static void statistics_that_cannot_be_written_are_told_before_the_work(void **state)
{
    (void)state;
    assert_refused(trial_run(trial_sample("plain.mp4"), out("o.mp4"), trial_format("--stats=%s", trial_path("no/s.json")), NULL), FAILED, "s.json",
                   "No such file or directory");
    assert_no_output();
}

static void files_beside_the_output_never_replace_the_input(void **state)
{
    static const char *const options[] = {"--stats", "--trace", "--report"};
    const char *input = trial_path("in.mp4"), *same = trial_path("./in.mp4"), *before;

    (void)state;
    trial_ffmpeg("-i", trial_sample("plain.mp4"), "-c", "copy", input, NULL);
    before = trial_sha256(input);
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        assert_refused(trial_run(input, out("o.mp4"), trial_format("%s=%s", options[i], same), NULL), USAGE, options[i], "must not be the input");
    assert_string_equal(trial_sha256(input), before);
    assert_no_output();
}

static void files_beside_the_output_replace_no_picture(void **state)
{
    static const char *const options[] = {"--stats", "--trace", "--report"};
    const char *folder = trial_path("frames"), *pattern = trial_path("frames/%04d.png"), *first = trial_path("frames/0001.png"), *before;
    const char *inputs[] = {folder, pattern, trial_path("frames/*.png")};

    (void)state;
    mkdir(folder, 0755);
    trial_ffmpeg("-i", trial_sample("plain.mp4"), "-frames:v", "3", pattern, NULL);
    assert_int_equal(symlink(first, trial_path("link.json")), 0);
    before = trial_sha256(first);
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        const char *cause = "must not be one of the pictures";

        for (size_t j = 0; j < sizeof(inputs) / sizeof(*inputs); j++)
            assert_refused(trial_run(inputs[j], out("o.mp4"), trial_format("%s=%s", options[i], first), NULL), USAGE, options[i], cause);
        assert_refused(trial_run(pattern, out("o.mp4"), trial_format("%s=%s", options[i], trial_path("link.json")), NULL), USAGE, options[i], cause);
        assert_refused(trial_run(trial_sample("plain.mp4"), out("%03d.png"), trial_format("%s=%s", options[i], out("007.png")), NULL), USAGE,
                       options[i], cause);
        assert_refused(trial_run(pattern, out("o.mp4"), trial_format("%s=-", options[i]), NULL), USAGE, options[i], "needs the name of a file");
    }
    assert_string_equal(trial_sha256(first), before);
    assert_no_output();
    // Beside them there is room.
    trial_render(pattern, out("o.mp4"), trial_format("--stats=%s", trial_path("frames/stats.json")), NULL);
}

// The next files that are opened would take the numbers, and an output what is printed.
static void closed_standard_descriptors_do_no_harm(void **state)
{
    const char *expected = trial_path("expected.mkv"), *output = out("o.mkv");

    (void)state;
    trial_render(trial_sample("plain.mp4"), expected, "--codec=ffv1", trial_workers(), NULL);
    for (int closed = 1; closed < 8; closed++) {
        struct command *command = trial_start_program(ARGUMENTS(
            "/bin/sh", "-c", trial_format("exec \"$0\" \"$@\" %s %s %s", closed & 1 ? "<&-" : "", closed & 2 ? ">&-" : "", closed & 4 ? "2>&-" : ""),
            trial_program(), trial_sample("plain.mp4"), output, "--codec=ffv1", "--progress=json", trial_workers(), "-y"));

        command_wait(command, 60);
        assert_int_equal(command->status, 0);
        assert_string_equal(trial_sha256(output), trial_sha256(expected));
        trial_assert_nothing_left();
    }
}

static void too_few_open_files_are_told(void **state)
{
    struct command *command;

    (void)state;
    command =
        trial_start_program(ARGUMENTS("/bin/sh", "-c", "ulimit -n 20; exec \"$@\"", "sh", trial_program(), trial_sample("plain.mp4"), out("o.mp4")));
    command_wait(command, 60);
    assert_refused(command, FAILED, "20", "ulimit -n");
    assert_no_output();
}

static void file_size_limit_is_an_error_not_an_end(void **state)
{
    struct command *command;

    (void)state;
    command = trial_start_program(ARGUMENTS("/bin/sh", "-c", "ulimit -f 8; exec \"$@\"", "sh", trial_program(), trial_sample("plain.mp4"),
                                            out("o.mkv"), "--codec=ffv1", "--no-cache", "--progress=off"));
    command_wait(command, 60);
    assert_refused(command, FAILED, "o.mkv", "File too large");
    assert_no_output();
}

static void input_whose_name_begins_like_a_protocol_is_a_file(void **state)
{
    struct command *command;

    (void)state;
    trial_ffmpeg("-i", trial_sample("plain.mp4"), "-c", "copy", trial_path("12:30.mp4"), NULL);
    command = trial_start_program(ARGUMENTS("/bin/sh", "-c", "program=$(realpath \"$1\"); cd \"$2\"; exec \"$program\" 12:30.mp4 \"$3\" -q", "sh",
                                            trial_program(), trial_path("."), out("o.mp4")));
    command_wait(command, 60);
    assert_int_equal(command->status, 0);
    trial_assert_only(out_folder(), "o.mp4", NULL);
}

static void filter_that_fails_in_the_middle_ends_the_job(void **state)
{
    (void)state;
    // From the third second on the picture is to have a size that no picture can have.
    // --quiet, because the filter also makes the job serial, which is told in a line of its own.
    assert_refused(trial_run(trial_sample("plain.mp4"), out("o.mp4"), "--quiet", trial_workers(),
                             "--filter=scale=eval=frame:w='if(lt(t,2),320,1e5)':h='if(lt(t,2),180,1e5)'", NULL),
                   FAILED, "plain.mp4", "");
    assert_no_output();
}

// Starts a render that takes a while, waits until it has work under way, and sends a signal to it or to all of its group.
static void interrupt(int signal_number, bool group)
{
    const char *input = trial_path("long.mp4");
    struct command *command;

    trial_ffmpeg("-stream_loop", "9", "-i", trial_sample("silent.mp4"), "-c", "copy", input, NULL);
    command = trial_start(ARGUMENTS(input, out("o.mkv"), "--progress=json", "--filter=nlmeans=r=15", "--codec=ffv1", "--workers=3"));
    assert_true(command_wait_for(command, "\"busy\":3", 60));
    kill(group ? -command->pid : command->pid, signal_number);
    command_wait(command, 20);
    assert_refused(command, 128 + signal_number, "o.mkv", "");
    assert_no_output();
}

static void ctrl_c_in_the_middle_leaves_nothing(void **state)
{
    (void)state;
    interrupt(SIGINT, true); // as a terminal sends it, to everybody
}

static void interrupt_of_the_coordinator_alone_takes_the_renderers_along(void **state)
{
    (void)state;
    interrupt(SIGINT, false);
}

static void termination_in_the_middle_leaves_nothing(void **state)
{
    (void)state;
    interrupt(SIGTERM, false);
}

static void renderers_end_by_themselves_when_their_coordinator_is_killed(void **state)
{
    const char *input = trial_path("long.mp4"), *left;
    struct command *command;

    (void)state;
    trial_ffmpeg("-stream_loop", "9", "-i", trial_sample("silent.mp4"), "-c", "copy", input, NULL);
    command = trial_start(ARGUMENTS(input, out("o.mkv"), "--progress=json", "--filter=nlmeans=r=15", "--codec=ffv1", "--workers=3"));
    assert_true(command_wait_for(command, "\"busy\":3", 60));
    kill(command->pid, SIGKILL);
    command_wait(command, 20);
    left = command_left_running(20);
    if (left)
        fail_msg("left running: %s", left);
    // A killed program cannot clean up; the next one does.
    trial_render(trial_sample("silent.mp4"), out("next.mkv"), "-q", "--codec=ffv1", NULL);
    trial_assert_only(trial_path("tmp"), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(missing_input_is_named),
        TRIAL(what_a_list_of_files_lacks_is_named),
        TRIAL(empty_input_is_named),
        TRIAL(directory_as_input_is_named),
        TRIAL(text_file_as_input_is_named),
        TRIAL(input_without_video_is_named),
        TRIAL(truncated_input_renders_what_decodes_and_says_so),
        TRIAL(input_whose_index_is_cut_off_is_named),
        TRIAL(damaged_input_renders_what_decodes_and_says_so),
        TRIAL(output_that_exists_is_kept),
        TRIAL(output_that_exists_survives_a_failed_overwrite),
        TRIAL(output_that_is_the_input_is_refused_even_with_overwrite),
        TRIAL(output_folder_that_is_missing_is_named),
        TRIAL(output_folder_that_is_read_only_is_named),
        TRIAL(unknown_container_is_named),
        TRIAL(unknown_filter_is_named),
        TRIAL(filter_option_that_makes_no_sense_is_named),
        TRIAL(unknown_codec_is_named),
        TRIAL(encoder_option_that_does_not_exist_is_named),
        TRIAL(option_values_that_make_no_sense_are_named),
        TRIAL(too_few_and_too_many_names_are_wrong_use),
        TRIAL(pipes_are_refused_as_input_and_as_output),
        TRIAL(one_picture_is_shown_the_ways_to_make_it),
        TRIAL(statistics_that_cannot_be_written_are_told_before_the_work),
        TRIAL(files_beside_the_output_never_replace_the_input),
        TRIAL(files_beside_the_output_replace_no_picture),
        TRIAL(closed_standard_descriptors_do_no_harm),
        TRIAL(too_few_open_files_are_told),
        TRIAL(file_size_limit_is_an_error_not_an_end),
        TRIAL(input_whose_name_begins_like_a_protocol_is_a_file),
        TRIAL(filter_that_fails_in_the_middle_ends_the_job),
        TRIAL(ctrl_c_in_the_middle_leaves_nothing),
        TRIAL(interrupt_of_the_coordinator_alone_takes_the_renderers_along),
        TRIAL(termination_in_the_middle_leaves_nothing),
        TRIAL(renderers_end_by_themselves_when_their_coordinator_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
