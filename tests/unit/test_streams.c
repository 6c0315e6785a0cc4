// What becomes of the streams of an input, container by container.
#include "coordinator/streams.h"

#include <libavutil/channel_layout.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static AVFormatContext *input;
static struct streams streams;
static char *why;

static int setup(void **state)
{
    (void)state;
    input = avformat_alloc_context();
    input->iformat = av_find_input_format("mov");
    input->url = av_strdup("in.mp4");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    streams_clear(&streams);
    avformat_free_context(input);
    free(why);
    why = NULL;
    return 0;
}

static AVStream *add(enum AVMediaType type, enum AVCodecID codec)
{
    AVStream *st = avformat_new_stream(input, NULL);
    AVCodecParameters *par = st->codecpar;

    par->codec_type = type;
    par->codec_id = codec;
    st->time_base = (AVRational){1, 1000};
    if (type == AVMEDIA_TYPE_VIDEO) {
        par->width = par->height = 64;
        st->time_base = (AVRational){1, 25};
    } else if (type == AVMEDIA_TYPE_AUDIO) {
        static const uint8_t aac_lc_48000_stereo[] = {0x11, 0x90};

        par->sample_rate = 48000;
        par->frame_size = 1024;
        par->bits_per_coded_sample = 16;
        av_channel_layout_default(&par->ch_layout, 2);
        st->time_base = (AVRational){1, 48000};
        if (codec == AV_CODEC_ID_AAC) {
            par->extradata = av_mallocz(sizeof(aac_lc_48000_stereo) + AV_INPUT_BUFFER_PADDING_SIZE);
            par->extradata_size = sizeof(aac_lc_48000_stereo);
            memcpy(par->extradata, aac_lc_48000_stereo, sizeof(aac_lc_48000_stereo));
        }
    }
    return st;
}

static int decide(const char *output, bool no_audio, bool no_subtitles)
{
    struct streams_wish wish = {av_guess_format(NULL, output, NULL), output, no_audio, no_subtitles, false};

    assert_non_null(wish.format);
    return streams_decide(&streams, input, &wish, &why);
}

static void assert_converted(unsigned i, enum AVCodecID codec)
{
    assert_int_equal(streams.choices[i].fate, STREAM_CONVERTED);
    assert_int_equal(streams.choices[i].encoder->id, codec);
    assert_int_equal(streams.note_count, 1);
    assert_non_null(strstr(streams.notes[0], "is converted to"));
}

static void first_video_that_is_no_cover_is_the_main_one(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_MJPEG)->disposition = AV_DISPOSITION_ATTACHED_PIC;
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC);
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    assert_int_equal(streams_find_main(input), 2);
}

static void cover_is_the_main_one_when_there_is_nothing_else(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_MP3);
    assert_int_equal(streams_find_main(input), -1);
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_MJPEG)->disposition = AV_DISPOSITION_ATTACHED_PIC;
    assert_int_equal(streams_find_main(input), 1);
}

static void input_without_video_is_refused(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC);
    assert_true(decide("out.mp4", false, false) < 0);
    assert_non_null(strstr(why, "no video stream"));
}

static void aac_is_copied_where_it_fits_and_converted_in_webm(void **state)
{
    static const char *const fits[] = {"out.mp4", "out.mov", "out.mkv", "out.avi", "out.ts"};

    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC);
    for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
        assert_int_equal(decide(fits[i], false, false), 0);
        assert_int_equal(streams.choices[0].fate, STREAM_MAIN);
        assert_int_equal(streams.choices[1].fate, STREAM_COPIED);
        assert_int_equal(streams.note_count, 0);
        streams_clear(&streams);
    }
    assert_int_equal(decide("out.webm", false, false), 0);
    assert_converted(1, AV_CODEC_ID_OPUS);
}

static void text_subtitles_are_converted_to_what_the_container_has(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_SUBRIP);
    assert_int_equal(decide("out.mp4", false, false), 0);
    assert_converted(1, AV_CODEC_ID_MOV_TEXT);
    streams_clear(&streams);
    assert_int_equal(decide("out.webm", false, false), 0);
    assert_converted(1, AV_CODEC_ID_WEBVTT);
    streams_clear(&streams);
    assert_int_equal(decide("out.mkv", false, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_COPIED);
    streams_clear(&streams);
    input->streams[1]->codecpar->codec_id = AV_CODEC_ID_MOV_TEXT;
    assert_int_equal(decide("out.mkv", false, false), 0);
    assert_converted(1, AV_CODEC_ID_SUBRIP);
}

static void picture_subtitles_are_refused_by_name_with_the_way_out(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    av_dict_set(&add(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_HDMV_PGS_SUBTITLE)->metadata, "language", "eng", 0);
    assert_true(decide("out.mp4", false, false) < 0);
    assert_string_equal(why,
                        "out.mp4: stream 1 (subtitle hdmv_pgs_subtitle, eng) cannot go into mp4; leave it out with --no-subtitles or choose .mkv");
    streams_clear(&streams);
    assert_int_equal(decide("out.mp4", false, true), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_LEFT_OUT);
    streams_clear(&streams);
    assert_int_equal(decide("out.mkv", false, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_COPIED);
}

static void way_out_is_named_only_where_it_is_one(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_DNXHD);
    assert_true(decide("out.mkv", false, false) < 0);
    assert_string_equal(why, "out.mkv: stream 1 (video dnxhd) cannot go into matroska; leave it out with --no-other-video");
    free(why);
    why = NULL;
    streams_clear(&streams);
    input->streams[1]->codecpar->codec_id = AV_CODEC_ID_FFV1;
    assert_true(decide("out.ts", false, false) < 0);
    assert_string_equal(why, "out.ts: stream 1 (video ffv1) cannot go into mpegts; leave it out with --no-other-video or choose .mkv");
    free(why);
    why = NULL;
    streams_clear(&streams);
    input->streams[1]->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    input->streams[1]->codecpar->codec_id = AV_CODEC_ID_XSUB;
    assert_true(decide("out.mkv", false, false) < 0);
    assert_string_equal(why, "out.mkv: stream 1 (subtitle xsub) cannot go into matroska; leave it out with --no-subtitles");
}

static void text_subtitles_cannot_go_into_a_transport_stream_or_avi(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_ASS);
    assert_true(decide("out.ts", false, false) < 0);
    streams_clear(&streams);
    assert_true(decide("out.avi", false, false) < 0);
}

// Its muxer takes what it has no mark for as well, as private data, and nobody finds it again.
static void sound_without_a_mark_in_transport_streams_is_converted(void **state)
{
    static const enum AVCodecID marked[] = {AV_CODEC_ID_MP2,  AV_CODEC_ID_MP3, AV_CODEC_ID_AAC,    AV_CODEC_ID_AC3,
                                            AV_CODEC_ID_EAC3, AV_CODEC_ID_DTS, AV_CODEC_ID_TRUEHD, AV_CODEC_ID_OPUS},
                                unmarked[] = {AV_CODEC_ID_FLAC, AV_CODEC_ID_PCM_S16LE, AV_CODEC_ID_PCM_S24LE, AV_CODEC_ID_VORBIS,
                                              AV_CODEC_ID_ALAC, AV_CODEC_ID_WMAV2,     AV_CODEC_ID_ADPCM_MS};
    static const char *const outputs[] = {"out.ts", "out.m2ts"};

    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_NONE);
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
            input->streams[1]->codecpar->codec_id = marked[i];
            assert_int_equal(decide(outputs[k], false, false), 0);
            assert_int_equal(streams.choices[1].fate, STREAM_COPIED);
            streams_clear(&streams);
        }
        for (size_t i = 0; i < sizeof(unmarked) / sizeof(unmarked[0]); i++) {
            input->streams[1]->codecpar->codec_id = unmarked[i];
            assert_int_equal(decide(outputs[k], false, false), 0);
            assert_converted(1, AV_CODEC_ID_MP2);
            streams_clear(&streams);
        }
    }
}

static void blu_ray_has_marks_of_its_own(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_HDMV_PGS_SUBTITLE);
    assert_true(decide("out.ts", false, false) < 0);
    streams_clear(&streams);
    assert_int_equal(decide("out.m2ts", false, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_COPIED);
}

static bool takes_encoded(const char *output, enum AVCodecID codec)
{
    return streams_takes_encoded(av_guess_format(NULL, output, NULL), output, codec);
}

static void video_without_a_mark_in_mpeg_streams_is_refused(void **state)
{
    static const char *const outputs[] = {"out.ts", "out.m2ts", "out.mpg", "out.vob"};

    (void)state;
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        assert_true(takes_encoded(outputs[i], AV_CODEC_ID_MPEG2VIDEO));
        assert_true(takes_encoded(outputs[i], AV_CODEC_ID_H264));
        assert_false(takes_encoded(outputs[i], AV_CODEC_ID_VP9));
        assert_false(takes_encoded(outputs[i], AV_CODEC_ID_FFV1));
        assert_false(takes_encoded(outputs[i], AV_CODEC_ID_MJPEG));
    }
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_VP9);
    assert_true(decide("out.ts", false, false) < 0);
    streams_clear(&streams);
    assert_true(decide("out.mpg", false, false) < 0);
}

// Its muxer wants a video before it looks at anything else.
static void mxf_takes_sound_as_it_is_and_studio_video(void **state)
{
    static const enum AVCodecID video[] = {AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_DNXHD, AV_CODEC_ID_JPEG2000, AV_CODEC_ID_H264, AV_CODEC_ID_PRORES};

    (void)state;
    for (size_t i = 0; i < sizeof(video) / sizeof(video[0]); i++)
        assert_true(takes_encoded("out.mxf", video[i]));
    assert_false(takes_encoded("out.mxf", AV_CODEC_ID_FFV1));
    assert_false(takes_encoded("out.mxf", AV_CODEC_ID_VP9));
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_PCM_S16LE);
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_PCM_S24LE)->codecpar->bits_per_coded_sample = 24;
    assert_int_equal(decide("out.mxf", false, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_COPIED);
    assert_int_equal(streams.choices[2].fate, STREAM_COPIED);
    assert_int_equal(streams.note_count, 0);
    streams_clear(&streams);
    input->streams[2]->codecpar->codec_id = AV_CODEC_ID_FLAC;
    assert_int_equal(decide("out.mxf", false, false), 0);
    assert_converted(2, AV_CODEC_ID_PCM_S16LE);
}

static void sound_of_a_rate_that_mxf_does_not_take_is_refused(void **state)
{
    static const enum AVCodecID codecs[] = {AV_CODEC_ID_PCM_S16LE, AV_CODEC_ID_FLAC};

    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_NONE)->codecpar->sample_rate = 44100;
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        input->streams[1]->codecpar->codec_id = codecs[i];
        free(why);
        why = NULL;
        assert_true(decide("out.mxf", false, false) < 0);
        assert_non_null(strstr(why, " cannot go into mxf; 44100 Hz is no sample rate for it: leave it out with --no-audio or choose .mkv"));
        streams_clear(&streams);
    }
}

static void muxer_that_looks_at_nothing_is_not_believed(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC);
    assert_int_equal(decide("out.roq", false, false), 0);
    assert_converted(1, AV_CODEC_ID_ROQ_DPCM);
    streams_clear(&streams);
    input->streams[1]->codecpar->codec_id = AV_CODEC_ID_ROQ_DPCM;
    assert_int_equal(decide("out.roq", false, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_COPIED);
    assert_true(takes_encoded("out.roq", AV_CODEC_ID_ROQ));
    assert_false(takes_encoded("out.roq", AV_CODEC_ID_H264));
    assert_true(takes_encoded("out.h264", AV_CODEC_ID_H264));
    assert_false(takes_encoded("out.h264", AV_CODEC_ID_MPEG4));
}

static void what_the_user_leaves_out_needs_no_note(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC);
    assert_int_equal(decide("out.webm", true, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_LEFT_OUT);
    assert_int_equal(streams.note_count, 0);
}

static void data_that_fits_nowhere_is_left_out_with_a_note(void **state)
{
    AVStream *data;

    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    data = add(AVMEDIA_TYPE_DATA, AV_CODEC_ID_NONE);
    data->codecpar->codec_tag = MKTAG('m', 'e', 'b', 'x');
    assert_int_equal(decide("out.mkv", false, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_LEFT_OUT);
    assert_int_equal(streams.note_count, 1);
    assert_string_equal(streams.notes[0], "out.mkv: stream 1 (data mebx) is left out: matroska cannot hold it");
}

static void timecode_track_is_made_anew_by_quicktime_only(void **state)
{
    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    add(AVMEDIA_TYPE_DATA, AV_CODEC_ID_NONE)->codecpar->codec_tag = MKTAG('t', 'm', 'c', 'd');
    assert_int_equal(decide("out.mov", false, false), 0);
    assert_int_equal(streams.note_count, 0);
    streams_clear(&streams);
    assert_int_equal(decide("out.mkv", false, false), 0);
    assert_int_equal(streams.note_count, 1);
}

static void attachments_go_into_matroska(void **state)
{
    AVStream *font;

    (void)state;
    add(AVMEDIA_TYPE_VIDEO, AV_CODEC_ID_H264);
    font = add(AVMEDIA_TYPE_ATTACHMENT, AV_CODEC_ID_TTF);
    font->codecpar->extradata = av_mallocz(16 + AV_INPUT_BUFFER_PADDING_SIZE);
    font->codecpar->extradata_size = 16;
    av_dict_set(&font->metadata, "filename", "font.ttf", 0);
    av_dict_set(&font->metadata, "mimetype", "application/x-truetype-font", 0);
    assert_int_equal(decide("out.mkv", false, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_COPIED);
    streams_clear(&streams);
    assert_int_equal(decide("out.mp4", false, false), 0);
    assert_int_equal(streams.choices[1].fate, STREAM_LEFT_OUT);
    assert_int_equal(streams.note_count, 1);
}

static bool takes(const char *output, enum AVCodecID codec)
{
    return streams_takes_codec(av_guess_format(NULL, output, NULL), output, codec);
}

static void containers_know_their_video_codecs(void **state)
{
    (void)state;
    assert_true(takes("a.webm", AV_CODEC_ID_VP9));
    assert_true(takes("a.webm", AV_CODEC_ID_AV1));
    assert_false(takes("a.webm", AV_CODEC_ID_H264));
    assert_true(takes("a.mkv", AV_CODEC_ID_FFV1));
    assert_true(takes("a.mkv", AV_CODEC_ID_HUFFYUV));
    assert_true(takes("a.mov", AV_CODEC_ID_PRORES));
    assert_true(takes("a.mov", AV_CODEC_ID_FFV1)); // with a tag of Video for Windows
    assert_false(takes("a.mp4", AV_CODEC_ID_FFV1));
    assert_false(takes("a.mp4", AV_CODEC_ID_PRORES));
    assert_true(takes("a.ts", AV_CODEC_ID_HEVC));
    assert_false(takes("a.ts", AV_CODEC_ID_VP9));
    assert_true(takes("a.avi", AV_CODEC_ID_MJPEG));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_video_that_is_no_cover_is_the_main_one, setup, teardown),
        cmocka_unit_test_setup_teardown(cover_is_the_main_one_when_there_is_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(input_without_video_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(aac_is_copied_where_it_fits_and_converted_in_webm, setup, teardown),
        cmocka_unit_test_setup_teardown(text_subtitles_are_converted_to_what_the_container_has, setup, teardown),
        cmocka_unit_test_setup_teardown(picture_subtitles_are_refused_by_name_with_the_way_out, setup, teardown),
        cmocka_unit_test_setup_teardown(way_out_is_named_only_where_it_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(text_subtitles_cannot_go_into_a_transport_stream_or_avi, setup, teardown),
        cmocka_unit_test_setup_teardown(sound_without_a_mark_in_transport_streams_is_converted, setup, teardown),
        cmocka_unit_test_setup_teardown(blu_ray_has_marks_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(video_without_a_mark_in_mpeg_streams_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(mxf_takes_sound_as_it_is_and_studio_video, setup, teardown),
        cmocka_unit_test_setup_teardown(sound_of_a_rate_that_mxf_does_not_take_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(muxer_that_looks_at_nothing_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_user_leaves_out_needs_no_note, setup, teardown),
        cmocka_unit_test_setup_teardown(data_that_fits_nowhere_is_left_out_with_a_note, setup, teardown),
        cmocka_unit_test_setup_teardown(timecode_track_is_made_anew_by_quicktime_only, setup, teardown),
        cmocka_unit_test_setup_teardown(attachments_go_into_matroska, setup, teardown),
        cmocka_unit_test_setup_teardown(containers_know_their_video_codecs, setup, teardown),
    };

    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
