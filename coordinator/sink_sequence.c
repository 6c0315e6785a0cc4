#include "sink_kinds.h"

#include "others.h"
#include "pictures.h"
#include "sequence.h"
#include "streams.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libavcodec/packet.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// A sequence that is not finished has a mark beside it, an empty hidden file that whoever writes the sequence holds a lock on. Where there is one,
// and nobody holds it, the frames that are there are our own of a render that was interrupted: those that come out the same again stay, others are
// replaced. Without a mark, frames that are there are somebody's, and are only replaced when the user says so.
//
// The lane only counts frames: each becomes a part (see sink.h), and parts are written by any thread, many at once. What they share does not change
// while there are parts, or is atomic.
struct sequence {
    struct sink sink;
    struct sequence_pattern pattern;
    char *path; // as the user wrote it
    int folder_fd;
    char *mark; // its name; of the folder, as all names
    int mark_fd;
    bool overwrite, resume;
    bool marked; // the mark is ours
    int64_t first, next, last_there;
    struct sink_part *parts, **parts_end; // that nobody has taken
    _Atomic uint64_t frames, bytes;       // that are whole under their names
    _Atomic uint64_t kept;                // of these frames, that were there, and right
};

struct frame {
    struct sink_part part;
    struct sequence *sequence;
    AVPacket *packet;
};

static const struct sink_kind sequence_kind;

static struct sequence *sequence_of(struct sink *sink)
{
    return (struct sequence *)(void *)sink; // its first member
}

static void free_parts(struct sequence *s)
{
    struct sink_part *part;

    while ((part = s->parts)) {
        s->parts = part->next;
        part->free(part);
    }
    s->parts_end = &s->parts;
}

static void sequence_close(struct sink *sink)
{
    struct sequence *s = sequence_of(sink);

    free_parts(s);
    // Whole frames are worth keeping, and the mark says that they are not all.
    if (s->marked && s->frames == 0 && !s->resume)
        unlinkat(s->folder_fd, s->mark, 0);
    if (s->mark_fd >= 0)
        close(s->mark_fd);
    if (s->folder_fd >= 0)
        close(s->folder_fd);
    sequence_clear(&s->pattern);
    free(s->path);
    free(s->mark);
    free(s);
}

// ---- Opening ----

static const char *folder_name(const struct sequence *s)
{
    return *s->pattern.folder ? s->pattern.folder : ".";
}

static int open_folder(struct sequence *s, char **why)
{
    int err;

    s->folder_fd = open(folder_name(s), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err = s->folder_fd < 0 ? -errno : 0;
    if (err == -ENOENT)
        return err_why(why, err, "%s: there is no folder %s; make it first", s->path, folder_name(s));
    if (!err && access(folder_name(s), W_OK | X_OK) < 0)
        err = -errno;
    return err < 0 ? err_why(why, err, "%s: the folder %s cannot be written to: %s", s->path, folder_name(s), err_text(err)) : 0;
}

// Some file systems have no locks; on those two at a time are the user's to avoid.
static int hold_mark(const struct sequence *s, char **why)
{
    if (flock(s->mark_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return err_why(why, -EBUSY, "%s: another renderfarm is writing these frames", s->path);
    return 0;
}

// Holds the mark of an interrupted render, if there is one.
static int find_mark(struct sequence *s, char **why)
{
    struct stat about;
    int err;

    s->mark_fd = openat(s->folder_fd, s->mark, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (s->mark_fd < 0)
        return 0;
    err = hold_mark(s, why);
    if (!err && fstat(s->mark_fd, &about) == 0 && about.st_nlink == 0) { // who held it has finished just now: the frames are whole, and not ours
        close(s->mark_fd);
        s->mark_fd = -1;
    }
    s->resume = !err && s->mark_fd >= 0;
    return err;
}

static bool same_folder(const struct sequence *s, const char *folder)
{
    struct stat ours, other;

    return fstat(s->folder_fd, &ours) == 0 && stat(*folder ? folder : ".", &other) == 0 && ours.st_dev == other.st_dev && ours.st_ino == other.st_ino;
}

// Whether frames of the output may be files of the input.
static bool reads_own_folder(const struct sequence *s, const char *input)
{
    const char *slash = strrchr(input, '/');
    char *folder = slash ? mem_format("%.*s", (int)(slash - input) + 1, input) : mem_dup("");
    bool same = same_folder(s, input) || same_folder(s, folder);

    free(folder);
    return same;
}

// one: the output is one picture.
static int check_frames(struct sequence *s, const char *input, bool one, char **notes, char **why)
{
    int64_t *numbers;
    size_t count;
    int err = sequence_list(&s->pattern, s->first, &numbers, &count);
    char *name = count > 0 ? sequence_path(&s->pattern, numbers[0]) : NULL;

    s->last_there = count > 0 ? numbers[count - 1] : -1;
    if (err < 0)
        err_why(why, err, "%s: the folder %s cannot be read: %s", s->path, folder_name(s), err_text(err));
    else if (count > 0 && !s->resume && !s->overwrite)
        err = err_why(why, -EEXIST, "%s: exists already; use --overwrite (-y) to replace it%s", name, one ? "" : " and what follows");
    else if (count > 0 && pictures_is_input(input) && reads_own_folder(s, input))
        err = err_why(why, -EINVAL, "%s: exists already, in the folder that is the input's, and could be a frame of it; choose another name", name);
    else if (count > 0 && s->resume)
        *notes = mem_format("%s: %zu frames are there already, of a render that was interrupted; those that are right stay", s->path, count);
    free(name);
    free(numbers);
    return err;
}

// Pictures hold nothing else, and nothing is dropped in silence.
static int count_left_out(const struct sink_setup *setup, unsigned *left_out, char **why)
{
    struct others *others = NULL;
    const AVFormatContext *input;
    int err = others_open(&others, sink_others(setup), setup->start_s ? llrint(*setup->start_s * AV_TIME_BASE) : AV_NOPTS_VALUE, why);
    int video;

    *left_out = 0;
    if (err < 0)
        return err;
    input = others_input(others);
    video = streams_find_main(input);
    for (unsigned i = 0; i < input->nb_streams; i++) {
        enum AVMediaType type = input->streams[i]->codecpar->codec_type;
        bool asked_for = (type == AVMEDIA_TYPE_AUDIO && setup->no_audio) || (type == AVMEDIA_TYPE_SUBTITLE && setup->no_subtitles) ||
                         (type == AVMEDIA_TYPE_VIDEO && setup->no_other_video);

        *left_out += (int)i != video && !asked_for;
    }
    others_close(&others);
    return 0;
}

static void add_note(struct sink_facts *facts, char *note)
{
    facts->notes = mem_grow(facts->notes, facts->note_count + 1, sizeof(*facts->notes));
    facts->notes[facts->note_count++] = note;
}

int sink_sequence_open(struct sink **result, const struct sink_setup *setup, struct sink_facts *facts, char **why)
{
    struct sequence *s = mem_zalloc(sizeof(*s));
    char *note = NULL;
    unsigned left_out = 0;
    int err = 0;

    s->sink.kind = &sequence_kind;
    s->parts_end = &s->parts;
    s->folder_fd = s->mark_fd = -1;
    s->path = mem_dup(setup->output);
    s->overwrite = setup->overwrite;
    s->first = s->next = setup->start_number;
    if (setup->one_picture)
        sequence_parse_one(&s->pattern, setup->output);
    else
        err = sequence_parse(&s->pattern, setup->output, why);
    if (!err && setup->codec && strcmp(setup->codec, "png") != 0)
        err = err_why(why, -EINVAL, "%s: numbered pictures are PNG, not %s; leave --codec out", setup->output, setup->codec);
    if (!err) {
        s->mark = mem_format(".%s%%0%dd%s.renderfarm-part", s->pattern.before, s->pattern.digits, s->pattern.after);
        err = open_folder(s, why);
    }
    if (!err)
        err = find_mark(s, why);
    if (!err)
        err = check_frames(s, setup->input, setup->one_picture, &note, why);
    if (!err)
        err = count_left_out(setup, &left_out, why);
    if (err < 0) {
        free(note);
        sequence_close(&s->sink);
        return err;
    }
    facts->encoder = mem_dup(PROTOCOL_LIBPNG);
    if (note)
        add_note(facts, note);
    if (left_out > 0 && !setup->one_picture)
        add_note(facts, mem_format("%s: %u other stream%s left out: pictures hold nothing but the picture", s->path, left_out,
                                   left_out == 1 ? " is" : "s are"));
    *result = &s->sink;
    return 0;
}

// The name of a frame in the making, where it needs one; free(). Nobody else uses it, because nobody else holds the mark.
static char *temporary_name(const struct sequence *s, int64_t number)
{
    return mem_format("%s.%" PRId64, s->mark, number);
}

static bool is_temporary(const struct sequence *s, const char *name)
{
    size_t length = strlen(s->mark);

    return strncmp(name, s->mark, length) == 0 && name[length] == '.' && name[length + 1] != '\0' &&
           name[length + 1 + strspn(name + length + 1, "0123456789")] == '\0';
}

// Frames in the making that a killed process left, where they have names.
static void remove_left_overs(const struct sequence *s)
{
    DIR *folder = opendir(folder_name(s));
    const struct dirent *entry;

    while (folder && (entry = readdir(folder)))
        if (is_temporary(s, entry->d_name))
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
}

static int sequence_start(struct sink *sink, const Wire__Probed *video, char **why)
{
    struct sequence *s = sequence_of(sink);
    int err = 0;

    (void)video;
    if (s->mark_fd < 0) {
        s->mark_fd = openat(s->folder_fd, s->mark, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (s->mark_fd < 0) {
            err = -errno;
            // Somebody has begun since we looked.
            if (err == -EEXIST && find_mark(s, why) == -EBUSY)
                return -EBUSY;
            return err_why(why, err, "%s: cannot write in the folder %s: %s", s->path, folder_name(s), err_text(err));
        }
        // Somebody who began at the same time may have found it before it was locked. Then it is theirs, and stays.
        err = hold_mark(s, why);
        if (err < 0)
            return err;
    }
    s->marked = true;
    if (s->resume)
        remove_left_overs(s);
    return 0;
}

// ---- Frames ----

// Whether the file holds just these bytes.
static bool holds(const struct sequence *s, const char *name, const uint8_t *data, size_t size)
{
    int fd = openat(s->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t buffer[64 << 10];
    struct stat about;
    size_t at = 0;
    bool same = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && (uint64_t)about.st_size == size;

    while (same && at < size) {
        ssize_t got = read(fd, buffer, sizeof(buffer));

        same = got > 0 && (size_t)got <= size - at && memcmp(buffer, data + at, (size_t)got) == 0;
        at += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    return same;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        data += done;
        size -= (size_t)done;
    }
    return 0;
}

// Gives a file its name: temporary is the one that it may have in between, and has already if named.
static int publish(const struct sequence *s, int fd, const char *temporary, bool named, const char *name)
{
    bool replace = s->overwrite || s->resume;
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (!named && linkat(AT_FDCWD, self, s->folder_fd, name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    if (!named && (errno != EEXIST || !replace))
        return -errno;
    if (!named && linkat(AT_FDCWD, self, s->folder_fd, temporary, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    if (!replace && renameat2(s->folder_fd, temporary, s->folder_fd, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (!replace && errno != EINVAL && errno != ENOSYS)
        return -errno;
    return renameat(s->folder_fd, temporary, s->folder_fd, name) < 0 ? -errno : 0;
}

// Without a name where the file system can do that, so that not even a killed process leaves anything half-written.
static int write_file(const struct sequence *s, const char *temporary, const char *name, const uint8_t *data, size_t size)
{
    int fd = openat(s->folder_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0666), err;
    bool named = fd < 0;

    if (named)
        fd = openat(s->folder_fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return -errno;
    err = write_all(fd, data, size);
    // On its way to the disk at once, so that there is little left to wait for at the end.
    if (!err)
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    if (!err)
        err = publish(s, fd, temporary, named, name);
    if (err < 0)
        unlinkat(s->folder_fd, temporary, 0);
    if (close(fd) < 0 && !err)
        err = -errno;
    return err;
}

static int write_frame(struct sink_part *part, char **why)
{
    const struct frame *frame = (const struct frame *)(const void *)part;
    struct sequence *s = frame->sequence;
    const uint8_t *data = frame->packet->data;
    size_t size = (size_t)frame->packet->size;
    char *name = sequence_name(&s->pattern, part->order), *temporary = temporary_name(s, part->order);
    int err = 0;

    if (s->resume && holds(s, name, data, size))
        s->kept++;
    else
        err = write_file(s, temporary, name, data, size);
    if (err == -EEXIST)
        err_why(why, err, "%s%s: somebody else made this file meanwhile; use --overwrite (-y) to replace it", s->pattern.folder, name);
    else if (err < 0)
        err_why(why, err, "%s%s: cannot write: %s%s", s->pattern.folder, name, err_text(err),
                part->order > s->first ? "; the frames before it are whole, and the same command goes on from there" : "");
    free(name);
    free(temporary);
    if (err < 0)
        return err;
    s->frames++;
    s->bytes += size;
    return 0;
}

static void free_frame(struct sink_part *part)
{
    struct frame *frame = (struct frame *)(void *)part;

    av_packet_free(&frame->packet);
    free(frame);
}

static int sequence_write(struct sink *sink, struct chunk **chunk, char **why)
{
    struct sequence *s = sequence_of(sink);

    (void)why;
    for (size_t i = 0; i < (*chunk)->packet_count; i++) {
        struct frame *frame = mem_zalloc(sizeof(*frame));

        frame->part = (struct sink_part){.bytes = (size_t)(*chunk)->packets[i]->size, .order = s->next++, .write = write_frame, .free = free_frame};
        frame->sequence = s;
        frame->packet = (*chunk)->packets[i];
        (*chunk)->packets[i] = NULL;
        *s->parts_end = &frame->part;
        s->parts_end = &frame->part.next;
    }
    chunk_free(chunk);
    return 0;
}

static struct sink_part *sequence_take_parts(struct sink *sink)
{
    struct sequence *s = sequence_of(sink);
    struct sink_part *parts = s->parts;

    s->parts = NULL;
    s->parts_end = &s->parts;
    return parts;
}

static void tell_rest(const struct sequence *s)
{
    char *name;

    if (s->kept > 0)
        log_info("%s: %" PRIu64 " frames were there already and stay as they are", s->path, (uint64_t)s->kept);
    if (s->last_there < s->next)
        return;
    name = sequence_path(&s->pattern, s->next);
    log_warn("%s and what follows is of an earlier sequence, which was longer; this one has %" PRId64 " frames", name, s->next - s->first);
    free(name);
}

static int sequence_finish(struct sink *sink, char **why)
{
    struct sequence *s = sequence_of(sink);
    int err = 0;

    for (struct sink_part *part = s->parts; part && !err; part = part->next)
        err = part->write(part, why);
    free_parts(s);
    if (err < 0)
        return err;
    // Once for all of them, names and contents: syncing each file would cost more than writing it.
    if (syncfs(s->folder_fd) < 0)
        return err_why(why, -errno, "%s: cannot write to disk: %s", s->path, err_text(-errno));
    unlinkat(s->folder_fd, s->mark, 0);
    s->marked = false;
    fsync(s->folder_fd);
    tell_rest(s);
    return 0;
}

static uint64_t sequence_bytes(const struct sink *sink)
{
    return ((const struct sequence *)(const void *)sink)->bytes;
}

static const struct sink_kind sequence_kind = {
    .start = sequence_start,
    .write = sequence_write,
    .take_parts = sequence_take_parts,
    .finish = sequence_finish,
    .bytes = sequence_bytes,
    .close = sequence_close,
};
