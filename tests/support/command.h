// Other programs, run with a deadline. Everything below one command carries a mark in its environment, so that what it leaves running can be found
// even when it has changed its parent. Failures of the machinery itself end the running cmocka test. One thread.
#ifndef TESTS_SUPPORT_COMMAND_H
#define TESTS_SUPPORT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// A list of arguments, program first.
#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct command {
    pid_t pid; // also its process group's
    int pidfd, out_fd, err_fd;
    char *out, *err; // what it wrote so far, always a string
    int status;      // exit status, or 128 + signal; -1 while it runs
    bool timed_out;  // killed, with its group, at the deadline
};

void command_start(struct command *command, const char *const *arguments);
// Reads on until standard output holds text. False when the command ended or the deadline came first.
bool command_wait_for(struct command *command, const char *text, double deadline_s);
// The same for standard error, from its byte number `from` on; NULL, or where the text begins there.
const char *command_wait_for_error(struct command *command, size_t from, const char *text, double deadline_s);
// Reads on until the command has ended.
void command_wait(struct command *command, double deadline_s);
void command_clear(struct command *command); // kills what still runs

// All of it in one.
void command_run(struct command *command, const char *const *arguments, double deadline_s);

// The processes that commands of this test program have left running, "PID name, PID name", or NULL when there are none; those that are about to end
// by themselves get patience_s to do so. Static storage.
const char *command_left_running(double patience_s);

#endif
