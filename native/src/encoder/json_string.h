/* Strings of JSON, written again with the fewest escapes. */
#ifndef PG2DYNAMO_JSON_STRING_H
#define PG2DYNAMO_JSON_STRING_H

#include "buffer.h"

/* A string as it was written: where in the buffer, and how many bytes its text has without escapes. */
typedef struct {
    size_t at, length, text_bytes;
} json_string;

/* Write what stands between the quotes, from after the first on; go past the last. LEFT when it is no text. */
outcome write_json_string(buffer *out, const char **from, const char *end, json_string *written);

/* Whether a string comes before another in jsonb's order: it is shorter, or as long and less by its bytes. */
bool comes_before(const buffer *out, const json_string *one, const json_string *other);

#endif
