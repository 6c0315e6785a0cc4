#include "jail.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <link.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// A sanitizer's report starts a symbolizer, and its hunt for leaks a process that traces this one.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER true
#endif
#endif
#ifndef SANITIZER
#define SANITIZER false
#endif

// Where clone has its flags.
#if defined(__s390__)
#define CLONE_FLAGS SCMP_A1
#else
#define CLONE_FLAGS SCMP_A0
#endif

enum { MOST_FILES = 1024 };

// Files: Landlock, by its three system calls, for glibc has no functions for them.

// From newer headers than those of the oldest system that this is built on.
#define FS_REFER (1ULL << 13)    // ABI 2
#define FS_TRUNCATE (1ULL << 14) // ABI 3

#define FS_READ (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                                                                     \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                 \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                       \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

// What libraries read by themselves at any time. Not all of /proc and /etc: there are other processes' secrets.
static const char *const system_places[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/filesystems",
    "/proc/sys",
    "/sys/devices/system",
    "/sys/fs/cgroup",
};

static int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int)abi; // the kernel is too old, or it is switched off
}

static void allow_reading(int ruleset, const char *path)
{
    struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
    struct stat about;

    if (rule.parent_fd < 0)
        return; // not on this machine
    if (fstat(rule.parent_fd, &about) == 0) {
        rule.allowed_access = S_ISDIR(about.st_mode) ? FS_READ : FS_READ & ~LANDLOCK_ACCESS_FS_READ_DIR;
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.parent_fd);
}

// Libraries that were built by hand load their parts from where they lie themselves.
static int allow_library_folder(struct dl_phdr_info *info, size_t size, void *data)
{
    const int *ruleset = data;
    char *path;

    (void)size;
    if (!info->dlpi_name || info->dlpi_name[0] != '/' || strncmp(info->dlpi_name, "/usr/", 5) == 0 || strncmp(info->dlpi_name, "/lib", 4) == 0)
        return 0;
    path = mem_dup(info->dlpi_name);
    allow_reading(*ruleset, dirname(path));
    free(path);
    return 0;
}

static bool restrict_files(enum jail_files files, int abi)
{
    struct {
        uint64_t handled_access_fs;
    } attributes = {FS_WRITE};
    bool done;
    int ruleset;

    if (files == JAIL_FILES_SYSTEM)
        attributes.handled_access_fs |= FS_READ;
    if (abi >= 2)
        attributes.handled_access_fs |= FS_REFER;
    if (abi >= 3)
        attributes.handled_access_fs |= FS_TRUNCATE;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    if (ruleset < 0)
        return false;
    if (files == JAIL_FILES_SYSTEM) {
        for (size_t i = 0; i < sizeof(system_places) / sizeof(*system_places); i++)
            allow_reading(ruleset, system_places[i]);
        dl_iterate_phdr(allow_library_folder, &ruleset);
    }
    done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return done;
}

struct jail_report jail_close_files(enum jail_files files)
{
    struct jail_report report = {.landlock_abi = landlock_abi()};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    report.files = report.landlock_abi > 0 && files != JAIL_FILES_ALL && restrict_files(files, report.landlock_abi);
    return report;
}

// System calls: seccomp.

static void deny(scmp_filter_ctx filter, int err, const char *const *names)
{
    // A name that this machine or this version of libseccomp does not know needs no rule, or can get none.
    for (; *names; names++) {
        int number = seccomp_syscall_resolve_name(*names);

        if (number != __NR_SCMP_ERROR)
            seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)err), number, 0);
    }
}

static void deny_unless_own(scmp_filter_ctx filter, int number)
{
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 1, SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid(), 0));
}

static scmp_filter_ctx new_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (filter) {
        // Without it older kernels switch off speculation over stores, which costs codecs a good part of their speed.
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a tree of comparisons instead of a list
    }
    return filter;
}

static bool load(scmp_filter_ctx *filter, bool all_threads)
{
    bool loaded;

    if (all_threads)
        seccomp_attr_set(*filter, SCMP_FLTATR_CTL_TSYNC, 1);
    loaded = seccomp_load(*filter) == 0;
    seccomp_release(*filter);
    return loaded;
}

static void deny_processes(scmp_filter_ctx filter)
{
    static const char *const starting[] = {"execve", "execveat", "fork", "vfork", NULL};
    static const char *const tracing[] = {"ptrace", NULL};
    const scmp_datum_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

    if (!SANITIZER) {
        deny(filter, EPERM, starting);
        deny(filter, EPERM, tracing);
        // Threads, and nothing else.
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, CLONE_FLAGS(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    }
    // glibc falls back on clone, whose flags can be seen from here.
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (scmp_datum_t flag = 1; flag <= namespaces; flag <<= 1)
        if (namespaces & flag)
            seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, CLONE_FLAGS(SCMP_CMP_MASKED_EQ, flag, flag));
    deny_unless_own(filter, SCMP_SYS(kill));
    deny_unless_own(filter, SCMP_SYS(tgkill));
    deny_unless_own(filter, SCMP_SYS(rt_sigqueueinfo));
    deny_unless_own(filter, SCMP_SYS(rt_tgsigqueueinfo));
}

struct jail_report jail_begin(void)
{
    static const char *const never[] = {
        // Other processes.
        "tkill",
        "process_vm_readv",
        "process_vm_writev",
        "process_madvise",
        "process_mrelease",
        "kcmp",
        "pidfd_open",
        "pidfd_getfd",
        "pidfd_send_signal",
        // Ways around a filter of system calls, and toys for attacks on the kernel.
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "userfaultfd",
        "bpf",
        "perf_event_open",
        "keyctl",
        "add_key",
        "request_key",
        "open_by_handle_at",
        "name_to_handle_at",
        "modify_ldt",
        "uselib",
        "personality",
        "vmsplice",
        // The machine.
        "mount",
        "umount",
        "umount2",
        "pivot_root",
        "chroot",
        "unshare",
        "setns",
        "move_mount",
        "open_tree",
        "fsopen",
        "fsconfig",
        "fsmount",
        "fspick",
        "mount_setattr",
        "kexec_load",
        "kexec_file_load",
        "init_module",
        "finit_module",
        "delete_module",
        "create_module",
        "reboot",
        "swapon",
        "swapoff",
        "acct",
        "quotactl",
        "quotactl_fd",
        "sethostname",
        "setdomainname",
        "settimeofday",
        "clock_settime",
        "clock_settime64",
        "stime",
        "adjtimex",
        "clock_adjtime",
        "iopl",
        "ioperm",
        "syslog",
        "vhangup",
        "nfsservctl",
        "lookup_dcookie",
        "_sysctl",
        "fanotify_init",
        // Being somebody else.
        "setuid",
        "setgid",
        "setreuid",
        "setregid",
        "setresuid",
        "setresgid",
        "setfsuid",
        "setfsgid",
        "setgroups",
        "capset",
        NULL,
    };
    static const char *const too_new[] = {"openat2", NULL}; // whose flags cannot be seen from here
    const struct rlimit no_core = {0, 0};
    struct rlimit files;
    struct jail_report report = {0};
    scmp_filter_ctx filter;

    // PR_SET_DUMPABLE stays: it would guard this process from its user's debugger, not the user from this process. RLIMIT_NPROC counts all of the
    // user's processes, so there is no number that is right.
    setrlimit(RLIMIT_CORE, &no_core);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_cur < MOST_FILES ? files.rlim_cur : MOST_FILES;
        files.rlim_max = files.rlim_cur;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    filter = new_filter();
    if (!filter)
        return report;
    deny(filter, EPERM, never);
    deny(filter, ENOSYS, too_new);
    deny_processes(filter);
    report.system_calls = load(&filter, false);
    return report;
}

// Landlock does not know of owners, modes, times and attributes, and holds no thread back that ran before.
static void deny_writing(scmp_filter_ctx filter)
{
    static const char *const changing[] = {
        "creat",     "truncate",  "truncate64", "unlink",      "unlinkat",     "rename",       "renameat",      "renameat2", "mkdir",     "mkdirat",
        "rmdir",     "link",      "linkat",     "symlink",     "symlinkat",    "mknod",        "mknodat",       "chmod",     "fchmod",    "fchmodat",
        "fchmodat2", "chown",     "fchown",     "lchown",      "fchownat",     "utime",        "utimes",        "utimensat", "futimesat", "setxattr",
        "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr", "removexattrat", NULL,
    };
    static const scmp_datum_t flags[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};

    deny(filter, EACCES, changing);
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
    }
}

// A local socket is a way out too: behind some of them are services that start programs for whoever asks. The resolver asks the kernel for the
// addresses of this host, and gets along without local services.
static void deny_other_sockets(scmp_filter_ctx filter)
{
    static const scmp_datum_t allowed[] = {AF_INET, AF_INET6, AF_NETLINK};

    for (scmp_datum_t family = 0; family <= AF_MAX; family++) {
        bool one_of_them = false;

        for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
            one_of_them |= family == allowed[i];
        if (!one_of_them)
            seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, family, 0));
    }
}

struct jail_report jail_enter(const struct jail *jail)
{
    static const char *const network[] = {"socket", "connect", "bind", "listen", "accept", "accept4", "socketcall", NULL};
    static const char *const serving[] = {"listen", "accept", "accept4", NULL};
    struct jail_report report = jail_close_files(jail->files);
    scmp_filter_ctx filter = new_filter();

    if (!filter)
        return report;
    if (jail->network == JAIL_NETWORK_NONE)
        deny(filter, EPERM, network);
    if (jail->network == JAIL_NETWORK_CALL) {
        deny_other_sockets(filter);
        deny(filter, EPERM, serving);
    }
    if (jail->files != JAIL_FILES_ALL)
        deny_writing(filter);
    report.system_calls = load(&filter, true);
    return report;
}
