#include "common/fingerprint.h"
#include "coordinator/verify.h"

#include <libavutil/frame.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

// The fingerprint of frame n.
static const uint8_t *print_of(unsigned n)
{
    static uint8_t bytes[FINGERPRINT_BYTES];

    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, &n, sizeof(n));
    return bytes;
}

static void put_piece(struct verify *v, uint32_t segment, unsigned first, unsigned count)
{
    uint8_t bytes[16 * FINGERPRINT_BYTES];

    for (unsigned i = 0; i < count; i++)
        memcpy(bytes + (size_t)i * FINGERPRINT_BYTES, print_of(first + i), FINGERPRINT_BYTES);
    assert_int_equal(verify_on_segment(v, segment, bytes, (size_t)count * FINGERPRINT_BYTES), 0);
}

// Pieces of 4, 0, 3 and 5 frames, come out of order.
static struct verify *twelve_frames(void)
{
    struct verify *v = verify_new();

    put_piece(v, 3, 7, 5);
    put_piece(v, 0, 0, 4);
    put_piece(v, 2, 4, 3);
    put_piece(v, 1, 4, 0);
    return v;
}

static struct verify_result after(struct verify **v, unsigned frames, unsigned wrong)
{
    struct verify_result result;

    for (unsigned i = 0; i < frames; i++)
        verify_on_frame(*v, print_of(i == wrong ? 999 : i), FINGERPRINT_BYTES);
    result = verify_result(*v);
    verify_free(v);
    return result;
}

enum { NONE_WRONG = 1000 };

static void same_frames_are_the_same(void **state)
{
    struct verify *v = twelve_frames();
    struct verify_result r;

    (void)state;
    verify_on_hidden_seams(v, 5);
    r = after(&v, 12, NONE_WRONG);
    assert_true(r.same);
    assert_int_equal(r.seams, 7);
    assert_int_equal(r.same_seams, 7);
    assert_int_equal(r.frames, 12);
}

static void one_other_frame_spoils_the_seams_beside_it(void **state)
{
    struct verify *v = twelve_frames();
    struct verify_result r = after(&v, 12, 1);

    (void)state;
    assert_false(r.same);
    assert_int_equal(r.other_frames, 1);
    assert_int_equal(r.first_other, 1);
    assert_int_equal(r.seams, 2);
    assert_int_equal(r.same_seams, 1); // the one between the second and the third piece with frames
}

static void a_frame_too_few_or_too_many_is_told(void **state)
{
    struct verify *v = twelve_frames();
    struct verify_result r = after(&v, 11, NONE_WRONG);

    (void)state;
    assert_false(r.same);
    assert_int_equal(r.first_other, 11);
    assert_int_equal(r.same_seams, 1);
    v = twelve_frames();
    r = after(&v, 13, NONE_WRONG);
    assert_false(r.same);
    assert_int_equal(r.first_other, 12);
}

static void nonsense_is_refused(void **state)
{
    struct verify *v = twelve_frames();
    uint8_t bytes[FINGERPRINT_BYTES] = {0};

    (void)state;
    assert_int_equal(verify_on_segment(v, 4, bytes, 15), -EPROTO);
    assert_int_equal(verify_on_segment(v, 0, bytes, 16), -EPROTO); // a second time
    assert_int_equal(verify_on_segment(v, UINT32_MAX, bytes, 16), -EPROTO);
    verify_free(&v);
    verify_free(&v);
}

static AVFrame *gray_frame(void)
{
    AVFrame *frame = av_frame_alloc();

    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = 17; // the chroma planes have an odd column and an odd line
    frame->height = 9;
    frame->pts = 5;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int i = 0; i < 3; i++)
        memset(frame->data[i], 128, (size_t)frame->linesize[i] * (i ? 5 : 9));
    return frame;
}

static void fingerprints_tell_what_is_seen_and_nothing_else(void **state)
{
    AVFrame *frame = gray_frame();
    uint8_t first[FINGERPRINT_BYTES], second[FINGERPRINT_BYTES];

    (void)state;
    assert_int_equal(fingerprint_frame(frame, first), 0);
    frame->data[0][17] ^= 1; // right of the picture
    assert_int_equal(fingerprint_frame(frame, second), 0);
    assert_memory_equal(first, second, FINGERPRINT_BYTES);
    frame->data[2][frame->linesize[2] * 4 + 8] ^= 1; // the last pixel of the last plane
    assert_int_equal(fingerprint_frame(frame, second), 0);
    assert_memory_not_equal(first, second, FINGERPRINT_BYTES);
    frame->data[2][frame->linesize[2] * 4 + 8] ^= 1;
    frame->pts++;
    assert_int_equal(fingerprint_frame(frame, second), 0);
    assert_memory_not_equal(first, second, FINGERPRINT_BYTES);
    av_frame_free(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_frames_are_the_same),
        cmocka_unit_test(one_other_frame_spoils_the_seams_beside_it),
        cmocka_unit_test(a_frame_too_few_or_too_many_is_told),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(fingerprints_tell_what_is_seen_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
