// The bundle where there is nothing else: in a root folder with it, its input, and the shell that starts it.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

// FOLDER PROGRAM...: makes the root there, from a bundle of these programs. What its wrappers call is any Linux's: a shell, readlink and dirname.
static const char make_root[] =
    "set -e; root=$1; shift; mkdir -p $root/proc $root/dev $root/tmp $root/bin; "
    "scripts/bundle $root/bundle.tar.gz \"$@\"; tar -xzf $root/bundle.tar.gz -C $root; "
    "for name in sh readlink dirname; do program=$(readlink -f \"$(command -v $name)\"); cp $program $root/bin/$name; "
    "for library in $(ldd $program | grep -o '/[^ ]*'); do mkdir -p $root${library%/*}; cp -L $library $root$library; done; done";

// FOLDER ARGUMENT...: the bundle's renderfarm with these, in that root. The mounts go with the last process.
static const char run_there[] = "set -e; root=$1; shift; mount -t proc proc $root/proc; mount --bind /dev $root/dev; "
                                "export TMPDIR=/tmp; exec chroot $root /bundle/renderfarm \"$@\"";

// Skips the test where nobody may have a root of his own.
static void need_root(void)
{
    struct command command;
    int status;

    command_run(&command, ARGUMENTS("unshare", "--mount", "--pid", "--fork", "sh", "-c", "command -v ldd && chroot / true"), 20);
    status = command.status;
    command_clear(&command);
    if (status != 0)
        skip();
}

static void the_bundle_needs_nothing_else(void **state)
{
    static const char *const names[] = {"", "-coordinator", "-renderer", "-keygen"};
    const char *root = trial_path("root"), *input = trial_path("root/in.mp4"), *outside = trial_path("out.mp4"), *programs[4];
    struct command *command;

    (void)state;
    need_root();
    for (size_t i = 0; i < 4; i++)
        programs[i] = trial_format("%s%s", trial_program(), names[i]);
    trial_output(ARGUMENTS("sh", "-c", make_root, "sh", root, programs[0], programs[1], programs[2], programs[3]));
    trial_output(ARGUMENTS("cp", trial_sample("silent.mp4"), input));
    command = trial_start_program(ARGUMENTS("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", run_there, "sh", root, "/in.mp4",
                                            "/out.mp4", "--workers=2", "--filter=unsharp,hqdn3d", "--progress=off"));
    command_wait(command, 120);
    if (command->status != 0)
        fail_msg("status %d: %s", command->status, command->err);
    trial_render(input, outside, "--workers=2", "--filter=unsharp,hqdn3d", NULL);
    assert_string_equal(trial_sha256(trial_path("root/out.mp4")), trial_sha256(outside));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(the_bundle_needs_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
