#include "renderer/needs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct jail of(const char *chain, const char *encoder, const char *key, const char *value)
{
    Wire__Option option = WIRE__OPTION__INIT, *options[] = {&option};
    Wire__Job job = WIRE__JOB__INIT;

    job.filters = (char *)(uintptr_t)chain;
    job.encoder = (char *)(uintptr_t)encoder;
    option.key = (char *)(uintptr_t)key;
    option.value = (char *)(uintptr_t)value;
    job.encoder_options = options;
    job.n_encoder_options = key ? 1 : 0;
    return needs_of(&job);
}

static enum jail_files chain_needs(const char *chain)
{
    return of(chain, "ffv1", NULL, NULL).files;
}

static void plain_filters_need_no_files(void **state)
{
    (void)state;
    assert_int_equal(chain_needs(""), JAIL_FILES_SYSTEM);
    assert_int_equal(chain_needs("scale=iw/2:-2,fps=30000/1001,nlmeans=s=3,hqdn3d,yadif,curves=preset=vintage,eq=contrast=1.2"), JAIL_FILES_SYSTEM);
    assert_int_equal(chain_needs("split[a][b];[a]hflip[c];[b][c]overlay=W/2:0"), JAIL_FILES_SYSTEM);
}

static void filters_that_can_be_told_a_file_may_read(void **state)
{
    static const char *const chains[] = {"drawtext=text=a", "lut3d=film.cube", "scale=10:10,lut1d=a.cube", "movie=a.mkv[b];[in][b]overlay",
                                         "sendcmd=f=a"};

    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++)
        if (chain_needs(chains[i]) != JAIL_FILES_READ)
            fail_msg("%s needs to read", chains[i]);
}

static void filters_that_write_may_write(void **state)
{
    (void)state;
    assert_int_equal(chain_needs("split[a][b];[a][b]psnr=log"), JAIL_FILES_ALL);
    assert_int_equal(chain_needs("signalstats,metadata=print:file=x"), JAIL_FILES_ALL);
    assert_int_equal(chain_needs("curves=plot=x.gp"), JAIL_FILES_ALL);
}

static void a_stage_needs_what_the_other_stages_do_where_it_may_become_one(void **state)
{
    char filters[] = "hflip", whole[] = "hflip,hqdn3d,lut3d=film.cube", encoder[] = "libx264", key[] = "stats", value[] = "x";
    Wire__Option option = WIRE__OPTION__INIT, *options[] = {&option};
    Wire__Job job = WIRE__JOB__INIT;

    (void)state;
    job.filters = filters;
    job.encoder = encoder;
    job.gives_frames = true;
    option.key = key;
    option.value = value;
    job.encoder_options = options;
    job.n_encoder_options = 1;
    assert_int_equal(needs_of(&job).files, JAIL_FILES_SYSTEM);
    job.whole_filters = filters;
    assert_int_equal(needs_of(&job).files, JAIL_FILES_ALL);
    job.n_encoder_options = 0;
    assert_int_equal(needs_of(&job).files, JAIL_FILES_SYSTEM);
    job.whole_filters = whole;
    assert_int_equal(needs_of(&job).files, JAIL_FILES_READ);
}

static void only_some_chains_need_the_network(void **state)
{
    (void)state;
    assert_false(of("drawtext=text=a", "ffv1", NULL, NULL).network);
    assert_true(of("movie=http\\://host/a.mkv[b];[in][b]overlay", "ffv1", NULL, NULL).network);
}

static void encoders_that_keep_statistics_may_write(void **state)
{
    (void)state;
    assert_int_equal(of("", "libx264", "crf", "18.5").files, JAIL_FILES_SYSTEM);
    assert_int_equal(of("", "libx264", "profile", "high").files, JAIL_FILES_SYSTEM);
    assert_int_equal(of("", "libx265", "x265-params", "log-level=none:profile=main10").files, JAIL_FILES_SYSTEM);
    assert_int_equal(of("", "libx264", "stats", "a.log").files, JAIL_FILES_ALL);
    assert_int_equal(of("", "libx264", "x264-params", "qpfile=a").files, JAIL_FILES_ALL);
    assert_int_equal(of("", "libx265", "x265-params", "csv=a.csv").files, JAIL_FILES_ALL);
}

static void a_jail_covers_what_needs_less(void **state)
{
    const struct jail all = {JAIL_FILES_ALL, true}, some = {JAIL_FILES_READ, false}, none = {JAIL_FILES_SYSTEM, false};

    (void)state;
    assert_true(needs_covered(&all, &some));
    assert_true(needs_covered(&some, &none));
    assert_false(needs_covered(&none, &some));
    assert_false(needs_covered(&some, &(struct jail){JAIL_FILES_SYSTEM, true}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_filters_need_no_files),       cmocka_unit_test(filters_that_can_be_told_a_file_may_read),
        cmocka_unit_test(filters_that_write_may_write),      cmocka_unit_test(a_stage_needs_what_the_other_stages_do_where_it_may_become_one),
        cmocka_unit_test(only_some_chains_need_the_network), cmocka_unit_test(encoders_that_keep_statistics_may_write),
        cmocka_unit_test(a_jail_covers_what_needs_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
