#include "cutter.h"

#include <stddef.h>

void cutter_init(struct cutter *c, bool cut, int64_t target)
{
    *c = (struct cutter){.target = target > 0 ? target : 1, .stopped = cut ? NULL : "it was not asked for"};
}

static void stop(struct cutter *c, const char *why)
{
    c->stopped = why;
    c->waiting = false;
}

static bool may_be_candidate(const struct cutter *c, const struct cutter_packet *p)
{
    return c->any && p->start && !p->discard && !c->last_discard && p->pts > c->greatest_pts && p->pts - c->segment_pts >= c->target;
}

static void remember(struct cutter *c, const struct cutter_packet *p)
{
    if (!c->any || p->pts > c->greatest_pts)
        c->greatest_pts = p->pts;
    if (!c->any)
        c->segment_pts = p->pts;
    c->last_dts = p->dts;
    c->last_discard = p->discard;
    c->any = true;
}

enum cutter_verdict cutter_put(struct cutter *c, const struct cutter_packet *p)
{
    enum cutter_verdict verdict = CUTTER_PASS;

    if (c->stopped)
        return CUTTER_PASS;
    if (p->pts == CUTTER_NO_TIME || p->dts == CUTTER_NO_TIME)
        stop(c, "packets without timestamps");
    else if (p->odd)
        stop(c, "parameters that change in the stream");
    else if (c->any && p->dts < c->last_dts)
        stop(c, "decode times that fall");
    if (c->stopped)
        return CUTTER_PASS;

    if (c->waiting) {
        if (p->pts < c->candidate_pts || p->discard) {
            c->waiting = false; // a leading picture: the group is open
        } else if (p->dts >= c->candidate_pts) {
            c->waiting = false;
            if (c->candidate_pts - c->segment_pts > c->longest)
                c->longest = c->candidate_pts - c->segment_pts;
            c->segment_pts = c->candidate_pts;
            verdict = CUTTER_CUT;
        } else {
            verdict = CUTTER_WAIT;
        }
    }
    // A packet that proves one cut and could be the next one is not taken for it: segments are longer than that.
    if (verdict == CUTTER_PASS && may_be_candidate(c, p)) {
        c->waiting = true;
        c->candidate_pts = p->pts;
        verdict = CUTTER_REFUSE_WAIT;
    }
    remember(c, p);
    return verdict;
}

bool cutter_end(struct cutter *c)
{
    bool cut = c->waiting && !c->stopped;

    c->waiting = false;
    return cut;
}
