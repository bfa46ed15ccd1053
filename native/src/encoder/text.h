/* Text: its validity, and the escapes of COPY and of JSON. Pointers are to the first byte and past the last. */
#ifndef PG2DYNAMO_TEXT_H
#define PG2DYNAMO_TEXT_H

#include <stdint.h>

#include "buffer.h"

/* Whether the bytes are UTF-8 as Python has it: shortest forms only, no surrogates, nothing above U+10FFFF. */
bool is_utf8(const char *from, const char *end);

/* Write a field of COPY as what stands between the quotes of a JSON string; LEFT for an escape that COPY has not. */
outcome write_copy_text(buffer *out, const char *from, const char *end);

/* Write a text as what stands between the quotes of a JSON string. */
outcome write_text(buffer *out, const char *from, const char *end);

/* Write the text that a field of COPY stands for; LEFT for an escape that COPY has not. */
outcome unescape_copy(buffer *out, const char *from, const char *end);

/* Write one byte below 0x20, a quote or a backslash as JSON escapes it, in six bytes of room; return the end. */
char *write_escaped(char *to, unsigned char byte);

static inline bool must_be_escaped(unsigned char byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\';
}

/* Whether one of eight bytes must be escaped. */
static inline bool any_must_be_escaped(uint64_t bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t quotes = bytes ^ (ones * '"'), backslashes = bytes ^ (ones * '\\');
    uint64_t controls = (bytes - ones * 0x20) & ~bytes;
    return ((controls | ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes)) & tops) != 0;
}

/* Copy what needs no escape, up to the first byte that does; return the end of what is written. */
static inline char *copy_plain(char *to, const char **from, const char *end)
{
    const char *at = *from;
    while (end - at >= 8) {
        uint64_t bytes;
        memcpy(&bytes, at, 8);
        if (any_must_be_escaped(bytes))
            break;
        memcpy(to, &bytes, 8);
        at += 8;
        to += 8;
    }
    while (at < end && !must_be_escaped((unsigned char)*at))
        *to++ = *at++;
    *from = at;
    return to;
}

#endif
