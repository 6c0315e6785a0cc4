#include "coordinator/job_key.h"

#include "common/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_job_key.XXXXXX";

static char *new_file(const char *name)
{
    char *path = mem_format("%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    assert_true(fd >= 0);
    close(fd);
    return path;
}

static void key_of(char text[JOB_KEY_TEXT], const char *const *arguments, int count)
{
    char *argv[10] = {(char *)"renderfarm"};
    struct options options;
    int argc = 1;

    for (int i = 0; i < count; i++)
        argv[argc++] = (char *)arguments[i];
    argv[argc++] = (char *)"in";
    argv[argc++] = (char *)"out";
    assert_int_equal(options_parse(&options, argc, argv), OPTIONS_RUN);
    job_key(&options, 0, 0, text);
    options_clear(&options);
}

static void keys_differ_where_bytes_may(void **state)
{
    static const char *const matters[][2] = {{"--filter=negate", "-q"},
                                             {"--codec=ffv1", "-q"},
                                             {"--crf=20", "-q"},
                                             {"--preset=fast", "-q"},
                                             {"--pix-fmt=yuv444p", "-q"},
                                             {"--segment=3", "-q"},
                                             {"--segment=0", "-q"},
                                             {"--encode=stream", "-q"},
                                             {"--no-audio", "-q"},
                                             {"--no-subtitles", "-q"},
                                             {"--no-autorotate", "-q"},
                                             {"--parallel-safe=lut", "-q"},
                                             {"--crf=20", "--preset=fast"},
                                             {"--framerate=25", "-q"},
                                             {"--framerate=50", "-q"},
                                             {"--missing=hold", "-q"},
                                             {"--missing=skip", "-q"},
                                             {"--start-number=20", "-q"},
                                             {"--start-number=20:30", "-q"},
                                             {"--every=2", "-q"},
                                             {"--every=3", "-q"},
                                             {"--filter=negate,split[a][b];[a][b]hstack", "-q"}};
    static const char *const plain[] = {"-q"}, *const same[] = {"--workers=1", "--threads=2", "--memory=2G", "-y", "-v"};
    char keys[32][JOB_KEY_TEXT], again[JOB_KEY_TEXT];
    size_t count = sizeof(matters) / sizeof(matters[0]);

    (void)state;
    key_of(keys[count], plain, 1);
    key_of(again, same, 5);
    assert_string_equal(again, keys[count]);
    assert_int_equal(strlen(again), JOB_KEY_TEXT - 1);
    for (size_t i = 0; i < count; i++)
        key_of(keys[i], matters[i], 2);
    for (size_t i = 0; i <= count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
}

static void keys_differ_where_pictures_do(void **state)
{
    static const char *const sheets[] = {
        "--contact-sheet=2x2", "--contact-sheet=2x3", "--contact-sheet=3x2", "--contact-sheet=1x1", "--poster", "-q"};
    struct options options = {.filter = (char *)"", .start_number = -1, .output_start_number = -1};
    char keys[9][JOB_KEY_TEXT];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        char *argv[] = {(char *)"renderfarm", (char *)sheets[i], (char *)"in", (char *)"out.png"};

        assert_int_equal(options_parse(&options, 4, argv), OPTIONS_RUN);
        job_key(&options, 0, 0, keys[i]);
        if (i < 5)
            options_clear(&options);
    }
    job_key(&options, 3, 1000, keys[6]);
    job_key(&options, 4, 1000, keys[7]);
    job_key(&options, 3, 1001, keys[8]);
    options_clear(&options);
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
}

// Whether the key is another one when the file that the option names has another time.
static bool depends_on_file(const char *before, const char *path, const char *after)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}}, new[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};
    char first[JOB_KEY_TEXT], second[JOB_KEY_TEXT], *argument = mem_format("%s%s%s", before, path, after);

    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    key_of(first, (const char *const[]){argument}, 1);
    assert_int_equal(utimensat(AT_FDCWD, path, new, 0), 0);
    key_of(second, (const char *const[]){argument}, 1);
    free(argument);
    return strcmp(first, second) != 0;
}

static void keys_differ_where_files_that_options_name_do(void **state)
{
    char *path = new_file("a.cube"), *odd = new_file("metadata.plot.cube");

    (void)state;
    assert_true(depends_on_file("--filter=lut3d=", path, ""));
    assert_true(depends_on_file("--filter=lut3d=", odd, ""));
    assert_true(depends_on_file("--filter=split[a][b];[a]lut3d=", odd, "[c];[c][b]hstack"));
    assert_true(depends_on_file("--filter=curves=plot=x:psfile=", path, ""));
    assert_true(depends_on_file("--filter=unsharp,lut3d=file='", path, "':interp=nearest,negate"));
    assert_true(depends_on_file("--filter=psnr=x,lut3d=", path, ""));
    assert_true(depends_on_file("--filter=split[a][b];[a]lut3d=", path, "[c];[c][b]hstack"));
    assert_true(depends_on_file("--encoder-options=x265-params='log-level=none:lambda-file=", path, "'"));
    // What the job writes itself.
    assert_false(depends_on_file("--filter=metadata=print:file=", path, ""));
    assert_false(depends_on_file("--filter=split,psnr=", path, ""));
    assert_false(depends_on_file("--filter=curves=psfile=x:plot=", path, ""));
    assert_false(depends_on_file("--encoder-options=x264-params='pass=1:stats=", path, "'"));
    assert_false(depends_on_file("--encoder-options=x265-params='csv=", path, "'"));
    unlink(path);
    free(path);
    unlink(odd);
    free(odd);
}

// As they are in records that are there already.
static void keys_stay_what_they_were(void **state)
{
    static const char *const plain[] = {"-q"}, *const some[] = {"--crf=20", "--filter=negate"};
    char text[JOB_KEY_TEXT];

    (void)state;
    key_of(text, plain, 1);
    assert_string_equal(text, "fe4707f7798afecfc5615dcda3605fea");
    key_of(text, some, 2);
    assert_string_equal(text, "c37fbf080fcca37c122718f6ab32fdaa");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_differ_where_bytes_may),
        cmocka_unit_test(keys_differ_where_pictures_do),
        cmocka_unit_test(keys_differ_where_files_that_options_name_do),
        cmocka_unit_test(keys_stay_what_they_were),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
