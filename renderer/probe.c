#include "probe.h"

#include "decode.h"
#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/packets.h"

#include <libavutil/display.h>

// The file's own side data goes along as in ffmpeg: not what the encoder's buffers were, and not turned twice.
static void add_input_side_data(const Wire__Job *job, Wire__Probed *probed)
{
    for (size_t i = 0; i < job->n_input_side_data; i++) {
        const Wire__SideData *side = job->input_side_data[i];
        int32_t upright[9];
        uint32_t crop[4];

        if (side->type == AV_PKT_DATA_CPB_PROPERTIES || packets_side_data_find(probed->output_side_data, probed->n_output_side_data, side->type) ||
            avx_container_crop((enum AVPacketSideDataType)side->type, side->data.data, side->data.len, crop))
            continue;
        if (side->type == AV_PKT_DATA_DISPLAYMATRIX && job->autorotate) {
            av_display_rotation_set(upright, 0);
            packets_side_data_append(&probed->output_side_data, &probed->n_output_side_data, side->type, upright, sizeof(upright));
        } else {
            packets_side_data_append(&probed->output_side_data, &probed->n_output_side_data, side->type, side->data.data, side->data.len);
        }
    }
}

static void add_first_frame_side_data(const Wire__FirstFrame *first, Wire__Probed *probed)
{
    if (first->has_mastering_display)
        packets_side_data_append(&probed->output_side_data, &probed->n_output_side_data, AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
                                 first->mastering_display.data, first->mastering_display.len);
    if (first->has_content_light_level)
        packets_side_data_append(&probed->output_side_data, &probed->n_output_side_data, AV_PKT_DATA_CONTENT_LIGHT_LEVEL,
                                 first->content_light_level.data, first->content_light_level.len);
}

int probe_describe(const Wire__Job *job, const struct encode *encode, const struct filter *filter, const AVFrame *first, Wire__Probed *probed,
                   char **why)
{
    const AVCodecContext *c = encode_context(encode);
    AVCodecParameters *par = avcodec_parameters_alloc();
    int err = par ? avcodec_parameters_from_context(par, c) : AVERROR(ENOMEM);

    if (err >= 0)
        err = filter_facts(job, &probed->filters, &probed->n_filters, why);
    if (err >= 0)
        filter_links(filter, probed->filters, probed->n_filters);
    if (err >= 0) {
        packets_parameters_to_wire(&probed->output, par);
        probed->output_time_base = packets_rational_to_wire(c->time_base);
        probed->output_frame_rate = packets_rational_to_wire(c->framerate);
        probed->has_reorder_delay = 1;
        probed->reorder_delay = (uint32_t)encode_reorder_delay(encode);
        probed->first_frame = encode_first_frame(job, first);
        probed->first_pts = encode_pts(encode, first->pts);
        probed->has_first_pts = probed->first_pts != AV_NOPTS_VALUE;
        for (int i = 0; i < c->nb_coded_side_data; i++)
            packets_side_data_append(&probed->output_side_data, &probed->n_output_side_data, (int)c->coded_side_data[i].type,
                                     c->coded_side_data[i].data, c->coded_side_data[i].size);
        add_first_frame_side_data(probed->first_frame, probed);
        add_input_side_data(job, probed);
        probed->decoder_name = mem_dup(decode_name(job));
        probed->encoder_name = mem_dup(encode_name(job));
    }
    avcodec_parameters_free(&par);
    return err < 0 ? err_why(why, err, "cannot describe the encoder %s: %s", encode_name(job), err_text(err)) : 0;
}
