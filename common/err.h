// Errors: 0 or a negative code. -errno, libuv's codes (which are -errno) and AVERRORs share one number line; ZeroMQ's errno is negated at the call.
#ifndef RENDERFARM_ERR_H
#define RENDERFARM_ERR_H

// Ours: the work has to be begun anew, in another way. No system call and no library says so (ESTALE is what network file systems say).
enum {
    ERR_AGAIN_DECODING_ALL = -0x52460001,
    ERR_AGAIN_ONE_GRAPH,
    ERR_AGAIN_ONE_SEGMENT,
};

// A text for any code; never NULL. The text is valid until the calling thread's next call.
const char *err_text(int err);

// One sentence for the user, made where file, stream or segment are known. Formats into *why (freed by the caller with free()); a *why that is
// already set is kept, so the first and closest sentence wins. Returns err, for `return err_why(...)`. why may be NULL.
int err_why(char **why, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
