#include "json_text.h"

#include "common/mem.h"

#include <libavutil/avstring.h>

#include <stdlib.h>
#include <string.h>

struct json_object *json_text_new(const char *text)
{
    static const char stands_in[] = "\xef\xbf\xbd";
    const uint8_t *at = (const uint8_t *)text, *end;
    struct json_object *object;
    size_t length = 0;
    char *out;

    if (!text)
        return NULL;
    end = at + strlen(text);
    out = mem_zalloc((size_t)(end - at) * strlen(stands_in) + 1);
    while (at < end) {
        const uint8_t *letter = at;
        int32_t code;

        if (av_utf8_decode(&code, &at, end, AV_UTF8_FLAG_ACCEPT_NON_CHARACTERS) >= 0) {
            memcpy(out + length, letter, (size_t)(at - letter));
            length += (size_t)(at - letter);
        } else {
            at = letter + 1;
            memcpy(out + length, stands_in, strlen(stands_in));
            length += strlen(stands_in);
        }
    }
    object = json_object_new_string_len(out, (int)length);
    free(out);
    return object;
}
