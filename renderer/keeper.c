#include "keeper.h"

#include "common/clock.h"
#include "common/footing.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/sent.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MOST_DOUBLINGS = 6,
    MOST_IN_VAIN = 8, // crashes in a row without a word of a coordinator's
};

#define FIRST_BACK_OFF_NS UINT64_C(100000000)
#define LONG_LIFE_NS UINT64_C(20000000000) // after it a crash is no reason to be slow

struct child {
    pid_t pid; // 0: none runs
    uint64_t place;
    uint64_t started_ns, start_at_ns;
    unsigned crashes; // in a row
    unsigned in_vain; // of them, so many before a coordinator welcomed it
    uint64_t vain_ns; // since when
    bool *welcomed;   // shared with the child
    bool done, killed;
    char ended[96]; // "": no one before
};

static int own_signals(sigset_t *set)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i] != SIGHUP || !footing_ignores_hangup())
            sigaddset(set, numbers[i]);
    return sigprocmask(SIG_BLOCK, set, NULL);
}

// True in the child.
static bool start(struct child *child, const sigset_t *set)
{
    pid_t keeper = getpid(), pid;

    child->started_ns = clock_now_ns();
    child->vain_ns = child->in_vain == 0 ? child->started_ns : child->vain_ns;
    *child->welcomed = false;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != keeper)
            _exit(KEEPER_LEFT);
        sigprocmask(SIG_UNBLOCK, set, NULL);
        return true;
    }
    if (pid > 0) {
        child->pid = pid;
        return false;
    }
    log_error("cannot start a process: %s", strerror(errno));
    child->start_at_ns = clock_now_ns() + (FIRST_BACK_OFF_NS << MOST_DOUBLINGS);
    return false;
}

// Another one would come to the same end: it lacks open files, say.
static bool is_hopeless(struct child *child, double wait_s, uint64_t now_ns)
{
    child->in_vain = *child->welcomed ? 0 : child->in_vain + 1;
    return child->in_vain >= MOST_IN_VAIN || (child->in_vain > 0 && (double)(now_ns - child->vain_ns) / 1e9 > wait_s);
}

static void on_end(struct child *child, double wait_s, int how, int *status)
{
    uint64_t now_ns = clock_now_ns();

    child->pid = 0;
    if (WIFEXITED(how) && (WEXITSTATUS(how) == KEEPER_LEFT || WEXITSTATUS(how) == KEEPER_FAILED)) {
        child->done = true;
        if (WEXITSTATUS(how) == KEEPER_FAILED)
            *status = 1;
        return;
    }
    child->killed = WIFSIGNALED(how) ? sent_by_somebody(WTERMSIG(how)) : WEXITSTATUS(how) == KEEPER_AGAIN;
    if (WIFSIGNALED(how))
        snprintf(child->ended, sizeof(child->ended), "was ended by signal %d (%s)", WTERMSIG(how), strsignal(WTERMSIG(how)));
    else
        snprintf(child->ended, sizeof(child->ended), "exited with status %d", WEXITSTATUS(how));
    child->crashes = now_ns - child->started_ns > LONG_LIFE_NS ? 0 : child->crashes + 1;
    child->start_at_ns = now_ns + (FIRST_BACK_OFF_NS << (child->crashes < MOST_DOUBLINGS ? child->crashes : MOST_DOUBLINGS));
    if (is_hopeless(child, wait_s, now_ns)) {
        log_error("a renderer %s, as %u did before it could work; giving up", child->ended, child->in_vain);
        child->done = true;
        *status = 1;
        return;
    }
    log_warn("a renderer %s; another one takes its place", child->ended);
}

static void reap(struct child *children, int count, double wait_s, int *status)
{
    int how;

    for (int i = 0; i < count; i++)
        if (children[i].pid && waitpid(children[i].pid, &how, WNOHANG) == children[i].pid)
            on_end(&children[i], wait_s, how, status);
}

// Starts what is due. True in a child, whose number *i is; *wait_ns is when the next one is due.
static bool start_due(struct child *children, int count, const sigset_t *set, int *which, uint64_t *wait_ns)
{
    *wait_ns = UINT64_MAX;
    for (int i = 0; i < count; i++) {
        uint64_t now_ns = clock_now_ns();

        if (children[i].pid || children[i].done)
            continue;
        *which = i;
        if (now_ns >= children[i].start_at_ns && start(&children[i], set))
            return true;
        if (!children[i].pid && children[i].start_at_ns > now_ns && children[i].start_at_ns - now_ns < *wait_ns)
            *wait_ns = children[i].start_at_ns - now_ns;
    }
    return false;
}

static bool all_done(const struct child *children, int count)
{
    for (int i = 0; i < count; i++)
        if (children[i].pid || !children[i].done)
            return false;
    return true;
}

static void pass_on(struct child *children, int count, int signal)
{
    for (int i = 0; i < count; i++) {
        if (children[i].pid)
            kill(children[i].pid, signal);
        else
            children[i].done = true;
    }
}

bool keeper_run(int count, double wait_s, struct keeper_place *place, int *status)
{
    struct child *children = mem_zalloc((size_t)count * sizeof(*children));
    bool *welcomed = mmap(NULL, (size_t)count * sizeof(*welcomed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t wait_ns;
    sigset_t set;
    int which = 0;

    *status = 0;
    if (welcomed == MAP_FAILED)
        abort(); // as for any small allocation
    own_signals(&set);
    for (int i = 0; i < count; i++) {
        randombytes_buf(&children[i].place, sizeof(children[i].place));
        children[i].welcomed = &welcomed[i];
    }
    for (;;) {
        struct timespec wait = {.tv_sec = 3600};
        int signal;

        if (start_due(children, count, &set, &which, &wait_ns))
            break;
        if (all_done(children, count)) {
            munmap(welcomed, (size_t)count * sizeof(*welcomed));
            free(children);
            return false;
        }
        if (wait_ns != UINT64_MAX)
            wait = (struct timespec){.tv_sec = (time_t)(wait_ns / 1000000000), .tv_nsec = (long)(wait_ns % 1000000000)};
        signal = sigtimedwait(&set, NULL, &wait);
        if (signal > 0 && signal != SIGCHLD)
            pass_on(children, count, signal);
        reap(children, count, wait_s, status);
    }
    *place = (struct keeper_place){.slot = (uint32_t)which,
                                   .place = children[which].place,
                                   .ended = *children[which].ended ? children[which].ended : NULL, // the array stays
                                   .killed = children[which].killed,
                                   .welcomed = children[which].welcomed};
    return true;
}
