// Runs jobs in worlds that are made up, each by its seed, and looks after every event whether the farm keeps its promises: each frame is written
// once, in order and as it should be; nothing is lost; memory is bounded; it comes to an end. However a life of the coordinator ended, the next one
// goes on.
#include "world.h"

#include "common/arena.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include "coordinator/memory.h"
#include "coordinator/passes.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MOST_STEPS = 3000000, // of a pass
    MOST_LIVES = 12,
    KILLED = 128 + SIGKILL,
};

#define TICK_NS UINT64_C(200000000)

// ---- What the farm promises at every moment ----

static uint64_t most_chunk_bytes(void)
{
    return (uint64_t)(world.shape.packet_bytes + 64) * 20;
}

static void check_promises(const struct farm *f)
{
    uint64_t crew = f->crew.roster.count, spare_bytes = 0;

    for (size_t i = 0; i < crew; i++)
        spare_bytes += f->crew.roster.renderers[i].spare.size_bytes;
    if (spare_bytes > (16 << 20) + crew * PROTOCOL_FIRST_CREDIT * most_chunk_bytes())
        world_violated("second renderers have sent %zu bytes that nobody may take yet", (size_t)spare_bytes);

    for (size_t i = 0; i < f->stage_count; i++) {
        const struct stage *stage = &f->stages[i];

        // What is read ahead, and what one more call of the lane brings.
        if (stage->shelf.size_bytes > (20 << 20) + most_chunk_bytes() &&
            stage->shelf.size_bytes - stage->shelf.kept_bytes >
                (8 << 20) + most_chunk_bytes() + crew * SHELF_KEEP_BYTES) // what lost renderers had waits again
            world_violated("%zu bytes wait in stage %zu", stage->shelf.size_bytes - stage->shelf.kept_bytes, i);
        if (stage->shelf.kept_bytes > stage->shelf.size_bytes || stage->shelf.kept_bytes > crew * (SHELF_KEEP_BYTES + 2 * most_chunk_bytes()))
            world_violated("%zu bytes are kept in stage %zu", stage->shelf.kept_bytes, i);
        if (assembler_held_bytes(stage->assembler) > (16 << 20) + (4 << 20) + crew * PROTOCOL_FIRST_CREDIT * most_chunk_bytes())
            world_violated("%zu finished bytes wait in stage %zu", assembler_held_bytes(stage->assembler), i);
        if (assembler_head(stage->assembler) != scheduler_first(stage->scheduler))
            world_violated("stage %zu: segment %u is due, and %u is written next", i, scheduler_first(stage->scheduler),
                           assembler_head(stage->assembler));
    }
}

static void check_end(const struct farm *f)
{
    if (f->outlet.err < 0)
        files_check_trouble(f->outlet.why);
    if (f->exit_status != 0 || !f->arena)
        return;
    for (size_t i = 0; i + 1 < f->stage_count; i++) {
        const Wire__Arena *slots = &f->stages[i].slots;
        uint32_t free_slots = arena_free_count(f->arena, slots->first, slots->count);

        // What the next run would have had as its neighbours is still held.
        if (free_slots + f->stages[i + 1].history_count != slots->count)
            world_violated("%u of %u slots behind stage %zu are free at the end", free_slots, slots->count, i);
    }
}

// ---- coordinator/farm_run.c ----

static void kill_crew(void *data)
{
    struct farm *f = data;

    if (!world.closed)
        crew_kill(&f->crew);
}

void farm_hurry(struct farm *f)
{
    if (world.hurried)
        return;
    world.hurried = true;
    world_after(2000000000, kill_crew, NULL, f);
}

void farm_close(struct farm *f)
{
    if (world.closed)
        return;
    world.closed = true;
    crew_close(&f->crew);
}

static void die(struct farm *f)
{
    world_say("the coordinator is killed");
    world.counts.kills++;
    world.dead = true;
    farm_start_ending(f, KILLED);
    f->pass->again = AGAIN_NO;
    farm_pump(f);
}

static void on_tick(void *data)
{
    struct farm *f = data;
    uint64_t pause_ns = 0;

    if (world.closed)
        return;
    if (world_chance(world.faults.kill) && f->state != FARM_ENDING) {
        die(f);
    } else if (world_chance(world.faults.interrupt)) {
        farm_fail(f, 130, "ended by Ctrl-C");
        farm_pump(f);
    } else if (world_chance(world.faults.stop)) {
        // With all that belongs to it, as a shell does: time goes by, and nobody sees it.
        pause_ns = world_random(100) * 1000000000;
        world_say("stopped for %llu s", (unsigned long long)(pause_ns / 1000000000));
    }
    if (world.closed)
        return;
    farm_tick(f);
    world_after(TICK_NS + pause_ns, on_tick, NULL, f);
}

// For whoever looks into a violation.
static void say_state(const struct farm *f)
{
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        const struct renderer *r = &f->crew.roster.renderers[i];

        world_say("renderer %u of stage %u: %s%s, segment %u attempt %u, credit %u, owed %u, %s, silent for %.3f s", r->slot, r->stage,
                  renderer_state_name(r->state), r->condemned ? " (condemned)" : "", r->segment, r->attempt, r->credit, r->owed,
                  r->all_sent ? "has all" : "lacks input", (double)(world.now_ns - r->heard_ns) / 1e9);
    }
    for (size_t i = 0; i < f->stage_count; i++)
        world_say("stage %zu: %u segments, %u written, %zu waiting, next %u, head %u, %s; slots %u free of %u", i,
                  scheduler_total(f->stages[i].scheduler), scheduler_first(f->stages[i].scheduler), scheduler_waiting(f->stages[i].scheduler),
                  scheduler_next(f->stages[i].scheduler), assembler_head(f->stages[i].assembler),
                  f->stages[i].input_ended ? "input ended" : "more to come",
                  f->arena ? arena_free_count(f->arena, f->stages[i].slots.first, f->stages[i].slots.count) : 0, f->stages[i].slots.count);
}

int farm_run(const struct options *options, struct pass *pass)
{
    struct farm *f = mem_zalloc(sizeof(*f));
    uint64_t last_step = world.steps + MOST_STEPS;
    int status;

    world.farm = f;
    world.closed = world.hurried = false;
    world.counts.lives++;
    world_say("a pass begins: %u frames, %s, chain '%s', %d workers", world.shape.frames, world.shape.cuttable ? "can be cut" : "cannot be cut",
              world.shape.chain, options->workers);
    farm_init(f, options, pass);
    if (farm_start(f) < 0)
        farm_start_ending(f, 1);
    world_after(TICK_NS, on_tick, NULL, f);
    farm_pump(f);
    while (!world.closed) {
        if (!world_step())
            world_violated("nothing happens any more, and the pass is not over");
        if (world.steps > last_step)
            say_state(f);
        if (world.steps > last_step)
            world_violated("no end after %d steps", MOST_STEPS);
        if (!world.closed && f->state != FARM_ENDING)
            check_promises(f);
    }
    world.counts.staged += f->stage_count > 1;
    check_end(f);
    status = f->exit_status;
    world_say("the pass is over: status %d%s, %u frames written", status, pass->again ? ", once more" : "", world.next_frame);
    if (lane_busy(&f->intake.lane) || outlet_busy(&f->outlet))
        world_violated("the pass is over, and a lane is at work");
    world_forget_all();
    farm_clear(f);
    free(f);
    world.farm = NULL;
    renderers_check_none_left();
    return status;
}

// The kernel's count, which farm_lost.c looks at.
uint64_t __wrap_memory_kills(void);
uint64_t __wrap_memory_kills(void)
{
    return world.memory_kills;
}

// ---- Jobs ----

// Not every job has every fault (swarm testing: Groce and others, 2012): some go wrong in one way all the time.
static unsigned some(unsigned most)
{
    return world_random(3) == 0 ? (unsigned)world_random(most + 1) : 0;
}

static void choose_faults(struct faults *faults)
{
    *faults = (struct faults){0};
    if (world_random(10) == 0)
        return;
    *faults = (struct faults){
        .crash = some(1500),
        .hang = some(300),
        .start_fails = some(10000),
        .slow = some(50000),
        .memory_kill = some(300),
        .failed = some(50),
        .lost = some(300),
        .twice = some(300),
        .late = some(500),
        .garbage = some(200),
        .store = some(20000),
        .rot = some(20000),
        .read_error = some(300),
        .write_error = some(300),
        .slow_disk = some(2000),
        .kill = some(20000),
        .stop = some(2000),
        .interrupt = some(2000),
    };
}

static void choose_options(struct options *o)
{
    static const enum poison_way ways[] = {POISON_STOP, POISON_COPY, POISON_SKIP};

    *o = (struct options){
        .input = world.input,
        .output = (char *)(uintptr_t) "made-up.mkv",
        .progress = PROGRESS_OFF,
        .verbosity = -1,
        .workers = 1 + (int)world_random(8),
        .threads = 1,
        .filter = world.shape.chain,
        .segment_s = world_random(2) ? 0 : 0.2 + (double)world_random(40) / 10,
        .one_segment = world_random(20) == 0,
        .encode_stream = world_random(20) == 0,
        .stall_s = 5,
        .on_poison = ways[world_random(3)],
        .memory_bytes = UINT64_MAX,
        .no_cache = world_random(10) == 0,
    };
}

static void check_written(int status)
{
    if (status == 0 && world.skipped > 0)
        world_violated("%u frames are left out, and the status is 0", world.skipped);
    if (!world.finished)
        world_violated("status %d, and the output is not finished", status);
    if (disk_entries() > 0 && !world.options.no_cache && world.faults.store == 0)
        world_violated("the job is done, and %zu finished segments are still there", disk_entries());
}

static void simulate(uint64_t seed)
{
    int status = -1;

    world.seed = seed;
    world.fate = seed;
    world.now_ns = 1000000000;
    world.steps = 0;
    world.order = 0;
    world.counts.jobs++;
    disk_format();
    media_shape(&world.shape, seed);
    choose_options(&world.options);
    choose_faults(&world.faults);
    for (int life = 0; status != 0 && status != 3; life++) {
        // Whatever has happened, the last life is a calm one and has to bring the job to its end.
        if (life >= MOST_LIVES - 1 || (life > 0 && status != KILLED && world_random(2)))
            world.faults = (struct faults){0};
        if (life > 0 && world_random(2))
            world.options.workers = 1 + (int)world_random(8);
        if (life >= MOST_LIVES && !world.shape.poisonous)
            world_violated("a calm life ended with status %d", status);
        if (life >= MOST_LIVES)
            world.shape.poisonous = false; // the plugin is mended
        world.dead = false;
        status = passes_run(&world.options);
        world.counts.failed += status != 0 && status != 3 && status != KILLED;
    }
    check_written(status);
    disk_format();
    world.counts.steps += world.steps;
}

// Nothing goes wrong, and nothing is left to chance but how long things take: to count what the coordinator does for a segment.
static void simulate_plain(unsigned segments)
{
    int status;

    world.seed = world.fate = 1;
    world.now_ns = 1000000000;
    world.counts.jobs++;
    disk_format();
    media_plain_shape(&world.shape, segments);
    choose_options(&world.options);
    world.options.workers = 4;
    world.options.segment_s = PLAIN_FRAMES / 24.0;
    world.options.one_segment = world.options.encode_stream = false;
    world.options.no_cache = true;
    status = passes_run(&world.options);
    check_written(status);
    world.counts.steps += world.steps;
    printf("%u segments in one fault-free job: %llu events, %llu messages\n", segments, (unsigned long long)world.counts.steps,
           (unsigned long long)world.counts.messages);
}

// ---- The program ----

static void usage(FILE *out)
{
    fprintf(out, "usage: simulate [--jobs=N] [--seed=N] [--processes=N] [-v]\n"
                 "       simulate --segments=N [-v]\n"
                 "  --jobs=N       so many, with the seeds from --seed on (10000)\n"
                 "  --seed=N       the first one (1); without --jobs just this one\n"
                 "  --processes=N  at a time (1)\n"
                 "  --segments=N   one job of so many segments, 1 to 333, in which nothing goes wrong; in this process, always the same\n"
                 "  -v             say what happens\n");
}

static void tell(const struct counts *c)
{
    printf("%llu jobs in %llu passes, %llu with stages: %llu events, %llu messages\n"
           "went wrong: %llu crashes, %llu hangs, %llu messages lost, %llu twice, %llu late, %llu damaged, %llu times the coordinator killed, "
           "%llu lives failed; %llu times a renderer was told to stop because another one was faster\n"
           "cache: %llu segments stored, %llu found, %llu rotten\n",
           (unsigned long long)c->jobs, (unsigned long long)c->lives, (unsigned long long)c->staged, (unsigned long long)c->steps,
           (unsigned long long)c->messages, (unsigned long long)c->crashes, (unsigned long long)c->hangs, (unsigned long long)c->lost,
           (unsigned long long)c->twice, (unsigned long long)c->late, (unsigned long long)c->garbage, (unsigned long long)c->kills,
           (unsigned long long)c->failed, (unsigned long long)c->cancelled, (unsigned long long)c->stored, (unsigned long long)c->found,
           (unsigned long long)c->rotten);
}

static void make_input(void)
{
    int fd;

    snprintf(world.input, sizeof(world.input), "/tmp/simulated-XXXXXX");
    fd = mkstemp(world.input);
    if (fd < 0 || write(fd, "made up", 7) != 7)
        perror(world.input);
    close(fd);
}

// Every processes-th seed from first on; the counts go to out.
static void simulate_part(uint64_t first, uint64_t end, unsigned processes, int out)
{
    make_input();
    for (uint64_t seed = first; seed < end; seed += processes)
        simulate(seed);
    unlink(world.input);
    if (write(out, &world.counts, sizeof(world.counts)) != sizeof(world.counts))
        exit(1);
}

static void add(struct counts *sum, const struct counts *part)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)part;

    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
        to[i] += from[i];
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"jobs", required_argument, NULL, 'j'},     {"seed", required_argument, NULL, 's'}, {"processes", required_argument, NULL, 'p'},
        {"segments", required_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'},       {0}};
    uint64_t jobs = 0, first = 1;
    unsigned processes = 1;
    struct counts sum = {0};
    unsigned long segments = 1;
    bool seeded = false, plain = false;
    int option, ends[2], failed = 0;

    while ((option = getopt_long(argc, argv, "vh", options, NULL)) != -1) {
        if (option == 'j') {
            jobs = strtoull(optarg, NULL, 10);
        } else if (option == 's') {
            first = strtoull(optarg, NULL, 10);
            seeded = true;
        } else if (option == 'p') {
            processes = (unsigned)strtoul(optarg, NULL, 10);
        } else if (option == 'n') {
            segments = strtoul(optarg, NULL, 10);
            plain = true;
        } else if (option == 'v') {
            world.verbose = true;
        } else {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    hands_widen_pool(HANDS_MOST);
    if (jobs == 0)
        jobs = seeded ? 1 : 10000;
    if (processes == 0 || processes > 1024 || optind < argc || segments == 0 || segments > MOST_FRAMES / PLAIN_FRAMES) {
        usage(stderr);
        return 2;
    }
    log_init("simulate", world.verbose ? LOG_DEBUG : LOG_NOTHING);
    if (plain) {
        make_input();
        simulate_plain((unsigned)segments);
        unlink(world.input);
        return 0;
    }
    if (pipe(ends) < 0)
        return 1;
    for (unsigned i = 0; i < processes; i++) {
        if (fork() == 0) {
            close(ends[0]);
            simulate_part(first + i, first + jobs, processes, ends[1]);
            exit(0);
        }
    }
    close(ends[1]);
    for (struct counts part; read(ends[0], &part, sizeof(part)) == sizeof(part);)
        add(&sum, &part);
    for (int status; wait(&status) > 0;) {
        failed |= status;
        if (WIFSIGNALED(status))
            fprintf(stderr, "one of the processes was ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    printf("seeds %llu to %llu\n", (unsigned long long)first, (unsigned long long)(first + jobs - 1));
    tell(&sum);
    return failed ? 1 : 0;
}
