// Runs jobs in worlds that are made up, each by its seed, and looks after every event whether the farm keeps its promises: each frame is written
// once, in order and as it should be; nothing is lost; memory is bounded; it comes to an end. However a life of the coordinator ended, the next one
// goes on. One job in eight is a batch of two to four videos.
#include "world.h"

#include "common/log.h"

#include "coordinator/passes.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_LIVES = 12 };

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

static void set_room(struct room *room, size_t results)
{
    *room = (struct room){.shelf = 20 << 20, .ahead = 8 << 20, .assembly = results, .spare = results, .write = results / 4};
}

// Often so little that all the time some renderer waits for it.
static void choose_room(struct room *room)
{
    set_room(room, world_random(3) == 0 ? 4000 : 16 << 20);
}

static void choose_options(struct video *video)
{
    static const enum poison_way ways[] = {POISON_STOP, POISON_COPY, POISON_SKIP};

    video->options = (struct options){
        .input = video->input,
        .output = video->output,
        .progress = PROGRESS_OFF,
        .verbosity = -1,
        .workers = 1 + (int)world_random(8),
        .threads = 1,
        .filter = video->shape.chain,
        .segment_s = world_random(2) ? 0 : 0.2 + (double)world_random(40) / 10,
        .one_segment = world_random(20) == 0,
        .encode_stream = world_random(20) == 0,
        .stall_s = 5,
        .on_poison = ways[world_random(3)],
        .memory_bytes = UINT64_MAX,
        .no_cache = world_random(10) == 0,
    };
}

static void check_written(const struct video *video)
{
    if (video->status == 0 && video->skipped > 0)
        world_violated("%u frames of %s are left out, and the status is 0", video->skipped, video->output);
    if (!video->finished)
        world_violated("%s: status %d, and the output is not finished", video->output, video->status);
}

static bool done(const struct video *video)
{
    return video->status == 0 || video->status == 3;
}

static bool all_done(void)
{
    bool all = true;

    for (unsigned i = 0; i < world.video_count; i++)
        all &= done(&world.videos[i]);
    return all;
}

// Nothing of a video is kept when it is done.
static void check_disk(void)
{
    bool may_leave = false;

    for (unsigned i = 0; i < world.video_count; i++)
        may_leave |= world.videos[i].may_leave;
    if (disk_entries() > 0 && !may_leave)
        world_violated("all is done, and %zu finished segments are still there", disk_entries());
}

static void prepare(uint64_t seed)
{
    world.seed = seed;
    world.fate = seed;
    world.now_ns = 1000000000;
    world.steps = 0;
    world.order = 0;
    world.counts.jobs++;
    disk_format();
}

static bool is_batch(uint64_t seed)
{
    return media_mix(seed, 5) % 8 == 0;
}

// Many short segments for a few renderers far away, so that there is always one to be sent ahead.
static void choose_far(struct video *video, uint64_t seed)
{
    world.far = media_mix(seed, 12) % 3 == 0 ? 0 : media_mix(seed, 13);
    if (world.video_count > 1 || media_mix(seed, 14) % 4 > 0)
        return;
    world.far |= media_mix(seed, 15);
    media_simplify(&video->shape, seed);
    media_cut_short(&video->shape);
    video->options.workers = 1 + (int)(media_mix(seed, 16) % 3);
    video->options.segment_s = (double)PLAIN_FRAMES / 24;
    video->options.one_segment = video->options.encode_stream = false;
}

static void choose_videos(uint64_t seed)
{
    bool batch = is_batch(seed), alike = media_mix(seed, 6) % 2, simple = media_mix(seed, 11) % 3 == 0;

    world.video_count = batch ? 2 + (unsigned)(media_mix(seed, 7) % (MOST_VIDEOS - 1)) : 1;
    for (unsigned i = 0; i < world.video_count; i++) {
        struct video *video = &world.videos[i];

        media_shape(&video->shape, i, batch ? seed + media_mix(i, 8) : seed);
        if (alike && i > 0)
            media_like(&video->shape, &world.videos[0].shape);
        if (batch && simple)
            media_simplify(&video->shape, seed + media_mix(i, 8));
        choose_options(video);
        video->options.in_batch = batch;
        video->options.workers = world.videos[0].options.workers; // belongs to the command, as in coordinator/batch.c
        video->status = -1;
        video->may_leave = false;
    }
    choose_faults(&world.faults);
    choose_room(&world.room);
    choose_far(&world.videos[0], seed);
}

// A calm life is over: what is not done yet is so because of a plugin, which is mended now.
static void mend(void)
{
    for (unsigned i = 0; i < world.video_count; i++) {
        struct video *video = &world.videos[i];

        if (!done(video) && !video->shape.poisonous)
            world_violated("a calm life ended with status %d for %s", video->status, video->output);
        video->shape.poisonous = false;
    }
}

// A life of the coordinator.
static void live(void)
{
    world.dead = false;
    if (world.video_count > 1)
        batch_run();
    else
        world.videos[0].status = passes_run(&world.videos[0].options);
    for (unsigned i = 0; i < world.video_count; i++) {
        world.counts.failed += !done(&world.videos[i]) && world.videos[i].status != KILLED;
        world.videos[i].may_leave = done(&world.videos[i]) && (world.videos[i].may_leave || world.faults.store > 0);
    }
}

static void change_workers(void)
{
    int workers = 1 + (int)world_random(8);

    for (unsigned i = 0; i < world.video_count; i++)
        world.videos[i].options.workers = workers;
}

static void simulate(uint64_t seed)
{
    prepare(seed);
    choose_videos(seed);
    world.dead = false;
    for (int life = 0; !all_done(); life++) {
        // Whatever has happened, the last life is a calm one and has to bring the job to its end.
        if (life >= MOST_LIVES - 1 || (life > 0 && !world.dead && world_random(2)))
            world.faults = (struct faults){0};
        if (life > 0 && world_random(2))
            change_workers();
        if (life >= MOST_LIVES)
            mend();
        live();
    }
    for (unsigned i = 0; i < world.video_count; i++)
        check_written(&world.videos[i]);
    check_disk();
    disk_format();
    world.counts.steps += world.steps;
}

// Nothing goes wrong, and nothing is left to chance but how long things take: to count what the coordinator does for a segment.
static void simulate_plain(unsigned segments)
{
    struct video *video = &world.videos[0];

    prepare(1);
    world.far = 0;
    world.video_count = 1;
    media_plain_shape(&video->shape, segments);
    set_room(&world.room, 16 << 20);
    choose_options(video);
    video->options.workers = 4;
    video->options.segment_s = (double)PLAIN_FRAMES / 24;
    video->options.one_segment = video->options.encode_stream = false;
    video->options.no_cache = true;
    video->status = passes_run(&video->options);
    check_written(video);
    world.counts.steps += world.steps;
    printf("%u segments in one fault-free job: %llu events, %llu messages\n", segments, (unsigned long long)world.counts.steps,
           (unsigned long long)world.counts.messages);
}

// ---- The program ----

static void usage(FILE *out)
{
    fprintf(out, "usage: simulate [--jobs=N] [--seed=N] [--processes=N] [--batches] [-v]\n"
                 "       simulate --segments=N [-v]\n"
                 "  --jobs=N       so many, with the seeds from --seed on (10000)\n"
                 "  --seed=N       the first one (1); without --jobs just this one\n"
                 "  --processes=N  at a time (1)\n"
                 "  --batches      of these jobs only those that are batches\n"
                 "  --segments=N   one job of so many segments, 1 to 333, in which nothing goes wrong; in this process, always the same\n"
                 "  -v             say what happens\n");
}

static void tell(const struct counts *c)
{
    printf("%llu jobs in %llu passes, %llu with stages, %llu lives of batches with %llu passes that shared renderers: %llu events, %llu messages\n"
           "went wrong: %llu crashes, %llu hangs, %llu messages lost, %llu twice, %llu late, %llu damaged, %llu times the coordinator killed, "
           "%llu lives failed; %llu times a renderer was told to stop because another one was faster; %llu tasks were sent ahead\n"
           "cache: %llu segments stored, %llu found, %llu rotten; %llu GOPs left out\n",
           (unsigned long long)c->jobs, (unsigned long long)c->lives, (unsigned long long)c->staged, (unsigned long long)c->batches,
           (unsigned long long)c->shared, (unsigned long long)c->steps, (unsigned long long)c->messages, (unsigned long long)c->crashes,
           (unsigned long long)c->hangs, (unsigned long long)c->lost, (unsigned long long)c->twice, (unsigned long long)c->late,
           (unsigned long long)c->garbage, (unsigned long long)c->kills, (unsigned long long)c->failed, (unsigned long long)c->cancelled,
           (unsigned long long)c->ahead, (unsigned long long)c->stored, (unsigned long long)c->found, (unsigned long long)c->rotten,
           (unsigned long long)c->left_out);
}

// The cache looks at the file itself, so that each has another content.
static void make_inputs(void)
{
    for (unsigned i = 0; i < MOST_VIDEOS; i++) {
        struct video *video = &world.videos[i];
        int fd;

        snprintf(video->output, sizeof(video->output), "made-up-%u.mkv", i);
        snprintf(video->input, sizeof(video->input), "/tmp/simulated-XXXXXX");
        fd = mkstemp(video->input);
        if (fd < 0 || write(fd, video->output, strlen(video->output)) < 0)
            perror(video->input);
        close(fd);
    }
}

static void remove_inputs(void)
{
    for (unsigned i = 0; i < MOST_VIDEOS; i++)
        unlink(world.videos[i].input);
}

// Every processes-th seed from first on; the counts go to out.
static void simulate_part(uint64_t first, uint64_t end, unsigned processes, bool batches_only, int out)
{
    make_inputs();
    for (uint64_t seed = first; seed < end; seed += processes)
        if (!batches_only || is_batch(seed))
            simulate(seed);
    remove_inputs();
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
    static const struct option options[] = {{"jobs", required_argument, NULL, 'j'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"processes", required_argument, NULL, 'p'},
                                            {"segments", required_argument, NULL, 'n'},
                                            {"batches", no_argument, NULL, 'b'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    uint64_t jobs = 0, first = 1;
    unsigned processes = 1;
    struct counts sum = {0};
    unsigned long segments = 1;
    bool seeded = false, plain = false, batches = false;
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
        } else if (option == 'b') {
            batches = true;
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
        make_inputs();
        simulate_plain((unsigned)segments);
        remove_inputs();
        return 0;
    }
    if (pipe(ends) < 0)
        return 1;
    for (unsigned i = 0; i < processes; i++) {
        if (fork() == 0) {
            close(ends[0]);
            simulate_part(first + i, first + jobs, processes, batches, ends[1]);
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
