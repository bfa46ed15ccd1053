#include "text.h"

enum { LONGEST_ESCAPE = 6, SLACK = 8 };

/* Return the bytes of the character that begins here, 0 when it is none. */
static int character_bytes(const unsigned char *at, const unsigned char *end)
{
    unsigned char first = at[0];
    int bytes = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (bytes == 0 || end - at < bytes)
        return 0;
    for (int n = 1; n < bytes; n++)
        if ((at[n] & 0xC0) != 0x80)
            return 0;
    if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F))
        return 0;
    if ((first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F))
        return 0;
    return bytes;
}

bool is_utf8(const char *from, const char *limit)
{
    const unsigned char *at = (const unsigned char *)from, *end = (const unsigned char *)limit;
    while (at < end) {
        if (end - at >= 8) {
            uint64_t bytes;
            memcpy(&bytes, at, 8);
            if (!(bytes & UINT64_C(0x8080808080808080))) {
                at += 8;
                continue;
            }
        }
        if (*at < 0x80) {
            at++;
            continue;
        }
        int bytes = character_bytes(at, end);
        if (bytes == 0)
            return false;
        at += bytes;
    }
    return true;
}

char *write_escaped(char *to, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char letter = 0;
    switch (byte) {
    case '"': letter = '"'; break;
    case '\\': letter = '\\'; break;
    case '\b': letter = 'b'; break;
    case '\f': letter = 'f'; break;
    case '\n': letter = 'n'; break;
    case '\r': letter = 'r'; break;
    case '\t': letter = 't'; break;
    default: break;
    }
    *to++ = '\\';
    if (letter) {
        *to++ = letter;
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = hex[byte >> 4];
    to[4] = hex[byte & 15];
    return to + 5;
}

/* Return the byte that an escape of COPY stands for, by its letter; 0 when COPY has it not. */
static unsigned char copy_escape(char letter)
{
    switch (letter) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    case '\\': return '\\';
    default: return 0;
    }
}

static inline outcome write_json(buffer *out, const char *at, const char *end, bool copy)
{
    char *to = buffer_room(out, (size_t)(end - at) * LONGEST_ESCAPE + SLACK);
    if (to == NULL)
        return FAILED;
    while ((to = copy_plain(to, &at, end)), at < end) {
        unsigned char byte = (unsigned char)*at++;
        if (copy && byte == '\\') {
            byte = at < end ? copy_escape(*at++) : 0;
            if (byte == 0)
                return LEFT;
        }
        to = write_escaped(to, byte);
    }
    buffer_end_at(out, to);
    return WRITTEN;
}

outcome write_copy_text(buffer *out, const char *from, const char *end)
{
    return write_json(out, from, end, true);
}

outcome write_text(buffer *out, const char *from, const char *end)
{
    return write_json(out, from, end, false);
}

outcome unescape_copy(buffer *out, const char *from, const char *end)
{
    char *to = buffer_room(out, (size_t)(end - from));
    if (to == NULL)
        return FAILED;
    while (from < end) {
        const char *escape = memchr(from, '\\', (size_t)(end - from));
        size_t plain = (size_t)((escape ? escape : end) - from);
        memcpy(to, from, plain);
        to += plain;
        from += plain;
        if (escape == NULL)
            break;
        unsigned char byte = end - from > 1 ? copy_escape(from[1]) : 0;
        if (byte == 0)
            return LEFT;
        *to++ = (char)byte;
        from += 2;
    }
    buffer_end_at(out, to);
    return WRITTEN;
}
