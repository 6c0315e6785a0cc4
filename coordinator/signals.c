#include "signals.h"

#include "common/footing.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static void on_handle(uv_signal_t *handle, int number)
{
    struct signals *s = handle->data;

    s->on_signal(s->data, number);
}

void signals_open(struct signals *s, uv_loop_t *loop, void (*on_signal)(void *data, int signal), void *data)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    s->on_signal = on_signal;
    s->data = data;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_init(loop, &s->handles[i]);
        s->handles[i].data = s;
        if (numbers[i] != SIGHUP || !footing_ignores_hangup())
            uv_signal_start(&s->handles[i], on_handle, numbers[i]);
    }
}

const char *signals_name(int signal)
{
    return signal == SIGINT ? "Ctrl-C" : strsignal(signal);
}

void signals_close(struct signals *s)
{
    for (size_t i = 0; i < sizeof(s->handles) / sizeof(s->handles[0]); i++)
        uv_close((uv_handle_t *)&s->handles[i], NULL);
}
