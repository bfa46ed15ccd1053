#include "binary.h"

#include <stdint.h>

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Return what a hex digit stands for, 256 and more for everything else. */
static unsigned nibble(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 256;
}

static unsigned byte_at(const char *at)
{
    return nibble(at[0]) << 4 | nibble(at[1]);
}

outcome write_binary(buffer *out, const char *from, const char *end)
{
    size_t length = (size_t)(end - from);
    if (length < BINARY_PREFIX || memcmp(from, "\\\\x", BINARY_PREFIX) != 0 || (length - BINARY_PREFIX) % 2)
        return LEFT;
    const char *at = from + BINARY_PREFIX;
    char *to = buffer_room(out, length);
    if (to == NULL)
        return FAILED;
    unsigned wrong = 0;
    for (; end - at >= 6; at += 6, to += 4) {
        unsigned first = byte_at(at), second = byte_at(at + 2), third = byte_at(at + 4);
        wrong |= first | second | third;
        unsigned bits = (first & 255) << 16 | (second & 255) << 8 | (third & 255);
        to[0] = base64[bits >> 18];
        to[1] = base64[bits >> 12 & 63];
        to[2] = base64[bits >> 6 & 63];
        to[3] = base64[bits & 63];
    }
    if (at < end) {
        unsigned first = byte_at(at), second = end - at > 2 ? byte_at(at + 2) : 0;
        wrong |= first | second;
        unsigned bits = (first & 255) << 16 | (second & 255) << 8;
        to[0] = base64[bits >> 18];
        to[1] = base64[bits >> 12 & 63];
        to[2] = end - at > 2 ? base64[bits >> 6 & 63] : '=';
        to[3] = '=';
        to += 4;
    }
    if (wrong > 255)
        return LEFT;
    buffer_end_at(out, to);
    return WRITTEN;
}
