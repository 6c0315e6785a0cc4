// The end of a ZeroMQ context: as soon as its sockets are done, and anyhow.
#include "common/zsock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_context_ends_when_its_sockets_are_closed(void **state)
{
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_ROUTER);

    (void)state;
    assert_int_equal(zmq_bind(socket, "inproc://here"), 0);
    assert_int_equal(zmq_close(socket), 0);
    assert_true(zsock_end_context(context, 0));
}

// Here it is a socket that is open still; libzmq's own may never be told that they are closed.
static void a_context_that_does_not_end_is_left_alone(void **state)
{
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_ROUTER);

    (void)state;
    assert_false(zsock_end_context(context, 0));
    assert_int_equal(zmq_close(socket), 0); // and so it ends after all, and is not told of as a leak
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_ends_when_its_sockets_are_closed),
        cmocka_unit_test(a_context_that_does_not_end_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
