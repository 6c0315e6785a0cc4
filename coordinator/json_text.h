// A file name as JSON has it, whose texts are UTF-8: names need not be.
#ifndef RENDERFARM_JSON_TEXT_H
#define RENDERFARM_JSON_TEXT_H

#include <json-c/json.h>

// With U+FFFD for each byte that is no part of a letter. NULL, JSON's null, for NULL.
struct json_object *json_text_new(const char *text);

#endif
