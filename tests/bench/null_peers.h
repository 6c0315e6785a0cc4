// Many renderers that do nothing in one process, each with a connection of its own, as if they were on other hosts.
#ifndef TESTS_BENCH_NULL_PEERS_H
#define TESTS_BENCH_NULL_PEERS_H

// Until all of them were told to leave. The key is the environment's. Returns the exit status.
int null_peers_run(const char *endpoint, unsigned count);

#endif
