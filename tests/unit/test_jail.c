#include "renderer/jail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What happens in jail happens in a child: it says what is wrong, and its status tells.
static int wrongs;

static void expect_error(const char *what, long result, int err)
{
    int got = result < 0 ? errno : 0;

    if (got == err)
        return;
    printf("%s: %s instead of %s\n", what, strerror(got), strerror(err));
    wrongs++;
}

static void expect(const char *what, bool right)
{
    if (right)
        return;
    printf("%s: %s\n", what, strerror(errno));
    wrongs++;
}

static void in_child(void (*test)(void *data), void *data)
{
    pid_t pid;
    int status;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        test(data);
        fflush(NULL);
        _exit(wrongs ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void go_to_jail(enum jail_files files, enum jail_network network)
{
    jail_begin();
    jail_enter(&(struct jail){.files = files, .network = network});
}

static bool kernel_has_landlock;

static void ask_kernel(void *data)
{
    struct jail_report report = jail_close_files(JAIL_FILES_SYSTEM);

    (void)data;
    printf("Landlock ABI %d\n", report.landlock_abi);
    wrongs = !report.files;
}

static int look_at_kernel(void **state)
{
    pid_t pid;
    int status;

    (void)state;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        ask_kernel(NULL);
        _exit(wrongs);
    }
    kernel_has_landlock = waitpid(pid, &status, 0) == pid && status == 0;
    return 0;
}

static void needs_landlock(void)
{
    if (kernel_has_landlock)
        return;
    puts("without Landlock in this kernel files are not held back");
    skip();
}

// Files.

static void try_files(void *data)
{
    const char *writable = data;
    char path[200];
    int fd;

    snprintf(path, sizeof(path), "%s/new", writable);
    go_to_jail(JAIL_FILES_SYSTEM, JAIL_NETWORK_NONE);
    expect_error("reading /etc/passwd", open("/etc/passwd", O_RDONLY), EACCES);
    expect_error("reading a file of the user's", open(writable, O_RDONLY), EACCES);
    expect_error("reading another process's environment", open("/proc/1/environ", O_RDONLY), EACCES);
    expect_error("creating a file", open(path, O_WRONLY | O_CREAT, 0600), EACCES);
    expect_error("making a folder", mkdir(path, 0700), EACCES);
    fd = open("/usr/share", O_RDONLY | O_DIRECTORY);
    expect("reading what is the system's", fd >= 0);
    expect("reading random bytes", open("/dev/urandom", O_RDONLY) >= 0);
    expect("reading facts about itself", open("/proc/self/status", O_RDONLY) >= 0);
}

static void only_the_systems_files_can_be_read(void **state)
{
    char folder[] = "/tmp/test_jail.XXXXXX";

    (void)state;
    needs_landlock();
    assert_non_null(mkdtemp(folder));
    in_child(try_files, folder);
    assert_int_equal(rmdir(folder), 0); // and is empty
}

static void try_reading(void *data)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/there", (const char *)data);
    go_to_jail(JAIL_FILES_READ, JAIL_NETWORK_NONE);
    expect("reading /etc/passwd", open("/etc/passwd", O_RDONLY) >= 0);
    expect("reading a file of the user's", open(path, O_RDONLY) >= 0);
    expect_error("writing to it", open(path, O_WRONLY), EACCES);
    expect_error("reading and writing it", open(path, O_RDWR), EACCES);
    expect_error("emptying it", open(path, O_RDONLY | O_TRUNC), EACCES);
    expect_error("cutting it", truncate(path, 0), EACCES);
    expect_error("opening it otherwise", syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND), EACCES);
    expect_error("changing its mode", chmod(path, 0777), EACCES);
    expect_error("removing it", unlink(path), EACCES);
    expect_error("moving it", rename(path, "/tmp/test_jail.moved"), EACCES);
    expect_error("linking to it", symlink(path, "/tmp/test_jail.link"), EACCES);
}

static void files_that_may_be_read_cannot_be_written(void **state)
{
    char folder[] = "/tmp/test_jail.XXXXXX", path[200];
    struct stat about;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/there", folder);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    in_child(try_reading, folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void try_all_files(void *data)
{
    char path[200];
    int fd;

    snprintf(path, sizeof(path), "%s/new", (const char *)data);
    go_to_jail(JAIL_FILES_ALL, JAIL_NETWORK_NONE);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    expect("creating a file", fd >= 0 && write(fd, "x", 1) == 1 && unlink(path) == 0);
}

static void chains_that_write_can_write(void **state)
{
    char folder[] = "/tmp/test_jail.XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    in_child(try_all_files, folder);
    assert_int_equal(rmdir(folder), 0);
}

// Everything else.

static void try_system_calls(void *data)
{
    static char *const nothing[] = {NULL};

    (void)data;
    go_to_jail(JAIL_FILES_SYSTEM, JAIL_NETWORK_NONE);
    expect_error("a socket to the network", socket(AF_INET, SOCK_STREAM, 0), EPERM);
    expect_error("a socket to the network", socket(AF_INET6, SOCK_DGRAM, 0), EPERM);
    expect_error("a socket to this host's services", socket(AF_UNIX, SOCK_STREAM, 0), EPERM);
    expect_error("a socket to the kernel", socket(AF_NETLINK, SOCK_RAW, 0), EPERM);
    expect_error("a signal to the parent", kill(getppid(), 0), EPERM);
    expect_error("a signal to everybody", kill(-1, 0), EPERM);
    expect("a signal to itself", kill(getpid(), 0) == 0);
    expect_error("namespaces", unshare(CLONE_NEWUSER), EPERM);
    expect_error("reading another's memory", syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0), EPERM);
    expect_error("BPF", syscall(SYS_bpf, 0, NULL, 0), EPERM);
    expect_error("measuring the kernel", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), EPERM);
    expect_error("a ring of system calls", syscall(SYS_io_uring_setup, 1, NULL), EPERM);
    expect_error("keys", syscall(SYS_keyctl, 0, 0, 0), EPERM);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    expect_error("another program", execve("/bin/true", nothing, nothing), EPERM);
    expect_error("another process", fork(), EPERM);
    expect_error("tracing", syscall(SYS_ptrace, 16, getppid(), 0, 0), EPERM);
#endif
    expect("a pair of its own sockets", socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}) == 0);
    (void)nothing;
}

static void programs_sockets_and_other_processes_are_out_of_reach(void **state)
{
    (void)state;
    in_child(try_system_calls, NULL);
}

static void try_network(void *data)
{
    (void)data;
    go_to_jail(JAIL_FILES_SYSTEM, JAIL_NETWORK_ALL);
    expect("a socket to the network", socket(AF_INET, SOCK_STREAM, 0) >= 0);
    expect("a socket to this host's services", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
}

static void try_calling(void *data)
{
    int fd;

    (void)data;
    go_to_jail(JAIL_FILES_SYSTEM, JAIL_NETWORK_CALL);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    expect("a socket to the network", fd >= 0);
    expect("a socket to the network", socket(AF_INET6, SOCK_STREAM, 0) >= 0);
    expect_error("listening", listen(fd, 1), EPERM);
    expect_error("a socket to this host's services", socket(AF_UNIX, SOCK_STREAM, 0), EPERM);
    expect_error("a raw socket", socket(AF_PACKET, SOCK_RAW, 0), EPERM);
}

static void calling_is_no_serving(void **state)
{
    (void)state;
    in_child(try_calling, NULL);
}

static void network_can_stay(void **state)
{
    (void)state;
    in_child(try_network, NULL);
}

static void *count(void *data)
{
    int *number = data;

    ++*number;
    return malloc(100);
}

static void try_work(void *data)
{
    const int *in = data;
    char bytes[6] = "";
    struct rlimit core;
    pthread_t thread;
    int number = 0;
    void *memory = NULL, *mapped;

    go_to_jail(JAIL_FILES_SYSTEM, JAIL_NETWORK_NONE);
    expect("reading what was opened before", read(in[0], bytes, 5) == 5 && strcmp(bytes, "bytes") == 0);
    expect("a thread", pthread_create(&thread, NULL, count, &number) == 0 && pthread_join(thread, &memory) == 0 && number == 1);
    free(memory);
    memory = malloc(100 << 20);
    expect("memory", memory != NULL);
    free(memory);
    mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect("mapped memory", mapped != MAP_FAILED);
    expect("memory without a name", memfd_create("test", MFD_CLOEXEC) >= 0);
    expect("no core", getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
}

static void decoders_can_work(void **state)
{
    int pipe_ends[2];

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(write(pipe_ends[1], "bytes", 5), 5);
    in_child(try_work, pipe_ends);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

// Threads that ran before.

struct witness {
    pthread_barrier_t jailed;
    long socket_result, open_result;
};

static void *wait_and_try(void *data)
{
    struct witness *witness = data;

    pthread_barrier_wait(&witness->jailed);
    witness->socket_result = socket(AF_INET, SOCK_STREAM, 0) < 0 ? -errno : 0;
    witness->open_result = open("/tmp", O_TMPFILE | O_WRONLY, 0600) < 0 ? -errno : 0;
    return NULL;
}

static void try_older_thread(void *data)
{
    struct witness witness = {0};
    pthread_t thread;

    (void)data;
    pthread_barrier_init(&witness.jailed, NULL, 2);
    jail_begin();
    pthread_create(&thread, NULL, wait_and_try, &witness);
    jail_enter(&(struct jail){.files = JAIL_FILES_SYSTEM});
    pthread_barrier_wait(&witness.jailed);
    pthread_join(thread, NULL);
    expect("a socket of an older thread", witness.socket_result == -EPERM);
    expect("a file of an older thread", witness.open_result == -EACCES);
}

static void threads_that_ran_before_are_jailed_too(void **state)
{
    (void)state;
    in_child(try_older_thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_systems_files_can_be_read),
        cmocka_unit_test(files_that_may_be_read_cannot_be_written),
        cmocka_unit_test(chains_that_write_can_write),
        cmocka_unit_test(programs_sockets_and_other_processes_are_out_of_reach),
        cmocka_unit_test(network_can_stay),
        cmocka_unit_test(calling_is_no_serving),
        cmocka_unit_test(decoders_can_work),
        cmocka_unit_test(threads_that_ran_before_are_jailed_too),
    };

    return cmocka_run_group_tests(tests, look_at_kernel, NULL);
}
