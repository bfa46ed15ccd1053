#include "json_string.h"

#include "text.h"

enum { SLACK = 16 };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Read the four digits of \u; return -1 when they are not there. */
static int32_t code_unit(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int32_t unit = 0;
    for (int n = 0; n < 4; n++) {
        int digit = hex_digit(at[n]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Read what follows \u, one code unit or two, and go past it; return -1 when it stands for no character. */
static int32_t code_point(const char **at, const char *end)
{
    int32_t unit = code_unit(*at, end);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return -1;
    *at += 4;
    if (unit < 0xD800 || unit > 0xDBFF)
        return unit;
    if (end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    int32_t low = code_unit(*at + 2, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return -1;
    *at += 6;
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

static char *write_utf8(char *to, int32_t point)
{
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xC0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *to++ = (char)(0xE0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    } else {
        *to++ = (char)(0xF0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3F));
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    }
    return to;
}

/* Return the character that an escape stands for, and go past it; -1 when it is none. */
static int32_t escaped_character(const char **at, const char *end)
{
    if (*at == end)
        return -1;
    char letter = *(*at)++;
    switch (letter) {
    case '"':
    case '\\':
    case '/': return letter;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': return code_point(at, end);
    default: return -1;
    }
}

outcome write_json_string(buffer *out, const char **from, const char *end, json_string *written)
{
    const char *at = *from;
    /* What is written is never longer than what is read: an escape of six stays one of six, or gets shorter. */
    char *to = buffer_room(out, (size_t)(end - at) + SLACK);
    if (to == NULL)
        return FAILED;
    size_t added = 0; /* by escapes */
    written->at = out->length;
    for (;;) {
        to = copy_plain(to, &at, end);
        if (at == end || (unsigned char)*at < 0x20)
            return LEFT;
        if (*at++ == '"')
            break;
        int32_t character = escaped_character(&at, end);
        if (character < 0)
            return LEFT;
        char *before = to;
        if (character < 0x80 && must_be_escaped((unsigned char)character)) {
            to = write_escaped(to, (unsigned char)character);
            added += (size_t)(to - before) - 1;
        } else {
            to = write_utf8(to, character);
        }
    }
    buffer_end_at(out, to);
    written->length = out->length - written->at;
    written->text_bytes = written->length - added;
    *from = at;
    return WRITTEN;
}

/* Return the byte that stands here as it was written, and go past it. */
static unsigned char text_byte(const char **at)
{
    unsigned char byte = (unsigned char)*(*at)++;
    if (byte != '\\')
        return byte;
    char letter = *(*at)++;
    switch (letter) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': *at += 4; return (unsigned char)(hex_digit((*at)[-2]) * 16 + hex_digit((*at)[-1]));
    default: return (unsigned char)letter;
    }
}

bool comes_before(const buffer *out, const json_string *one, const json_string *other)
{
    if (one->text_bytes != other->text_bytes)
        return one->text_bytes < other->text_bytes;
    const char *left = out->start + one->at, *right = out->start + other->at;
    if (one->length == one->text_bytes && other->length == other->text_bytes)
        return memcmp(left, right, one->length) < 0;
    for (size_t n = 0; n < one->text_bytes; n++) {
        unsigned char mine = text_byte(&left), theirs = text_byte(&right);
        if (mine != theirs)
            return mine < theirs;
    }
    return false;
}
