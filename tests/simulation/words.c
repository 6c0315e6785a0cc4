// What a renderer says, in the protocol's words.
#include "renderers.h"

#include "common/avx.h"
#include "common/credit.h"
#include "common/protocol.h"

#include "coordinator/simulate/gray_video.h"

#include <stdio.h>

void words_hello(struct renderer_process *r)
{
    Wire__Hello hello = WIRE__HELLO__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    hello.protocol = PROTOCOL_VERSION;
    hello.libraries = (char *)(uintptr_t)avx_libraries();
    hello.pid = r->pid;
    hello.threads = 1;
    hello.slot = r->slot;
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &hello;
    network_say(r, &message);
}

void words_probed(struct renderer_process *r)
{
    Wire__Probed probed = WIRE__PROBED__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;
    Wire__FilterFacts facts[MOST_FILTERS], *list[MOST_FILTERS];
    Wire__Option options[MOST_FILTERS], *option_lists[MOST_FILTERS];
    char names[MOST_FILTERS][32], keys[MOST_FILTERS][32], values[MOST_FILTERS][32];

    probed.segment = r->segment;
    probed.attempt = r->attempt;
    gray_video_probed(&probed, PTS_STEP, 24);
    for (unsigned i = 0; i < r->job.video->shape.filter_count; i++) {
        wire__filter_facts__init(&facts[i]);
        wire__option__init(&options[i]);
        names[i][0] = keys[i][0] = values[i][0] = '\0';
        sscanf(r->job.video->shape.filters[i].name, "%31[^=]=%31[^=]=%31s", names[i], keys[i], values[i]);
        facts[i].name = names[i];
        facts[i].inputs = facts[i].outputs = 1;
        facts[i].input_format = facts[i].output_format = (char *)(uintptr_t) "gray";
        options[i].key = keys[i];
        options[i].value = values[i];
        option_lists[i] = &options[i];
        facts[i].options = &option_lists[i];
        facts[i].n_options = keys[i][0] != '\0';
        list[i] = &facts[i];
    }
    probed.filters = list;
    probed.n_filters = r->job.video->shape.filter_count;
    message.body_case = WIRE__MESSAGE__BODY_PROBED;
    message.probed = &probed;
    network_say(r, &message);
    gray_video_probed_clear(&probed);
}

void words_done(struct renderer_process *r)
{
    Wire__Done done = WIRE__DONE__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    done.segment = r->segment;
    done.attempt = r->attempt;
    done.packets = done.frames_decoded = done.frames_encoded = r->packets;
    message.body_case = WIRE__MESSAGE__BODY_DONE;
    message.done = &done;
    network_say(r, &message);
}

void words_credit(struct renderer_process *r)
{
    Wire__Credit credit = WIRE__CREDIT__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    r->unsaid++;
    if (!credit_is_due(r->unsaid, r->input.first, r->input_ended || (r->input.last && r->input.last->last), world.now_ns - r->told_ns))
        return;
    credit.segment = r->segment;
    credit.attempt = r->attempt;
    credit.chunks = r->unsaid;
    message.body_case = WIRE__MESSAGE__BODY_CREDIT;
    message.credit = &credit;
    network_say(r, &message);
    r->unsaid = 0;
    r->told_ns = world.now_ns;
}

void words_failed(struct renderer_process *r, int code, const char *reason)
{
    Wire__Failed failed = WIRE__FAILED__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    failed.segment = r->segment;
    failed.attempt = r->attempt;
    failed.code = code;
    failed.reason = (char *)(uintptr_t)reason;
    message.body_case = WIRE__MESSAGE__BODY_FAILED;
    message.failed = &failed;
    network_say(r, &message);
}
