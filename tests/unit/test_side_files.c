// Whether another host has the same files and fonts as the job names.
#include "common/fonts.h"
#include "common/side_files.h"

#include "coordinator/named_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/renderfarm-side-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const char *at(const char *name)
{
    static char path[100];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int clear(void **state)
{
    (void)state;
    unlink(at("lut.cube"));
    unlink(at("fonts/a.ttf"));
    unlink(at("fonts.conf"));
    rmdir(at("fonts"));
    return rmdir(folder);
}

static void another_file_is_noticed(void **state)
{
    Wire__Job job = WIRE__JOB__INIT;
    char *why = NULL;

    (void)state;
    put("lut.cube", "LUT_3D_SIZE 2");
    side_files_add(&job, at("lut.cube"));
    side_files_add(&job, at("lut.cube"));
    side_files_add(&job, at("missing"));
    side_files_add(&job, folder);
    assert_int_equal(job.n_named_files, 1);
    assert_int_equal(side_files_check(&job, &why), 0);
    put("lut.cube", "LUT_3D_SIZE 3");
    assert_true(side_files_check(&job, &why) < 0);
    assert_non_null(strstr(why, at("lut.cube")));
    free(why);
    // What is not there at all its filter will say.
    why = NULL;
    unlink(at("lut.cube"));
    assert_int_equal(side_files_check(&job, &why), 0);
    side_files_clear(&job);
    assert_int_equal(job.n_named_files, 0);
}

static void other_fonts_are_noticed(void **state)
{
    Wire__Job job = WIRE__JOB__INIT;
    char *why = NULL, text[200];

    (void)state;
    assert_int_equal(mkdir(at("fonts"), 0755), 0);
    put("fonts/a.ttf", "a");
    snprintf(text, sizeof(text), "<fontconfig><dir>%s/fonts</dir></fontconfig>", folder);
    put("fonts.conf", text);
    setenv("FONTCONFIG_FILE", at("fonts.conf"), 1);
    side_files_add_fonts(&job);
    assert_int_equal(side_files_check(&job, &why), 0);
    // The same ones, put there at another time.
    put("fonts/a.ttf", "a");
    assert_int_equal(side_files_check(&job, &why), 0);
    put("fonts/a.ttf", "another");
    assert_true(side_files_check(&job, &why) < 0);
    free(why);
    unsetenv("FONTCONFIG_FILE");
    side_files_clear(&job);
}

static void chains_that_choose_fonts(void **state)
{
    static const char *const choose[] = {"ass=a.ass",   "scale=1:1,subtitles=s.srt", "[in]ass@a=f [out]",
                                         "null, ass=x", "drawtext=text=ass1",        "drawtext=fontfile=f.ttf:text=a,drawtext=b"};
    static const char *const choose_not[] = {"", "null", "bass=1", "drawtext=text=a:fontfile=f.ttf", "assume"};

    (void)state;
    for (size_t i = 0; i < sizeof(choose) / sizeof(choose[0]); i++)
        assert_true(named_files_chooses_fonts(choose[i]));
    for (size_t i = 0; i < sizeof(choose_not) / sizeof(choose_not[0]); i++)
        assert_false(named_files_chooses_fonts(choose_not[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_file_is_noticed),
        cmocka_unit_test(other_fonts_are_noticed),
        cmocka_unit_test(chains_that_choose_fonts),
    };

    return cmocka_run_group_tests(tests, make, clear);
}
