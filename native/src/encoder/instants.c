#include "instants.h"

enum {
    SHORTEST_YEAR = 4,
    LONGEST_YEAR = 7,
    MONTH_AND_DAY = 6, /* -02-29 */
    CLOCK = 8,         /* 03:04:05 */
    FRACTION = 7,      /* .000006 */
    ROOM = 40,         /* +5874897-12-31T23:59:59.999999Z */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether the text has the shape: 0 stands for any digit, every other character for itself. */
static bool has_shape(const char *at, const char *end, const char *shape)
{
    for (; *shape; at++, shape++)
        if (at >= end || (*shape == '0' ? !is_digit(*at) : *at != *shape))
            return false;
    return true;
}

static bool is_endless(const char *from, const char *end)
{
    from += from < end && *from == '-';
    return end - from == 8 && memcmp(from, "infinity", 8) == 0;
}

/* Take " BC" off the end. */
static bool ends_in_bc(const char *from, const char **end)
{
    if (*end - from < 3 || memcmp(*end - 3, " BC", 3) != 0)
        return false;
    *end -= 3;
    return true;
}

static char *write_long_year(char *to, int year)
{
    int magnitude = year < 0 ? -year : year, digits = 6, rest = magnitude;
    if (magnitude >= 1000000)
        digits = 7;
    *to++ = year < 0 ? '-' : '+';
    for (int n = digits - 1; n >= 0; n--, rest /= 10)
        to[n] = (char)('0' + rest % 10);
    return to + digits;
}

static char *write_year(char *to, int year)
{
    if (year < 0 || year > 9999)
        return write_long_year(to, year);
    for (int n = 3; n >= 0; n--, year /= 10)
        to[n] = (char)('0' + year % 10);
    return to + 4;
}

/* Write year, month and day, and go past them; NULL when they are not there. */
static char *write_day(char *to, const char **from, const char *end, bool bc)
{
    const char *at = *from;
    int year = 0;
    while (at < end && at - *from < LONGEST_YEAR && is_digit(*at))
        year = year * 10 + (*at++ - '0');
    if (at - *from < SHORTEST_YEAR || !has_shape(at, end, "-00-00"))
        return NULL;
    to = write_year(to, bc ? 1 - year : year);
    memcpy(to, at, MONTH_AND_DAY);
    *from = at + MONTH_AND_DAY;
    return to + MONTH_AND_DAY;
}

/* Write a time of day with six digits of fraction; NULL when it is not all that is there. */
static char *write_clock(char *to, const char *from, const char *end)
{
    if (!has_shape(from, end, "00:00:00"))
        return NULL;
    memcpy(to, from, CLOCK);
    to += CLOCK;
    from += CLOCK;
    size_t fraction = (size_t)(end - from);
    if (fraction == 0) {
        memcpy(to, ".000000", FRACTION);
        return to + FRACTION;
    }
    if (*from != '.' || fraction < 2 || fraction > FRACTION)
        return NULL;
    for (const char *at = from + 1; at < end; at++)
        if (!is_digit(*at))
            return NULL;
    memcpy(to, from, fraction);
    memset(to + fraction, '0', FRACTION - fraction);
    return to + FRACTION;
}

outcome write_date(buffer *out, const char *from, const char *end)
{
    if (is_endless(from, end))
        return buffer_add(out, from, (size_t)(end - from));
    char *to = buffer_room(out, ROOM);
    if (to == NULL)
        return FAILED;
    bool bc = ends_in_bc(from, &end);
    to = write_day(to, &from, end, bc);
    if (to == NULL || from != end)
        return LEFT;
    buffer_end_at(out, to);
    return WRITTEN;
}

outcome write_time(buffer *out, const char *from, const char *end)
{
    char *to = buffer_room(out, ROOM);
    if (to == NULL)
        return FAILED;
    to = write_clock(to, from, end);
    if (to == NULL)
        return LEFT;
    buffer_end_at(out, to);
    return WRITTEN;
}

static outcome write_instant(buffer *out, const char *from, const char *end, bool zoned)
{
    if (is_endless(from, end))
        return buffer_add(out, from, (size_t)(end - from));
    char *to = buffer_room(out, ROOM);
    if (to == NULL)
        return FAILED;
    bool bc = ends_in_bc(from, &end);
    if (zoned) {
        if (end - from < 3 || memcmp(end - 3, "+00", 3) != 0)
            return LEFT;
        end -= 3;
    }
    to = write_day(to, &from, end, bc);
    if (to == NULL || from == end || *from != ' ')
        return LEFT;
    *to++ = 'T';
    to = write_clock(to, from + 1, end);
    if (to == NULL)
        return LEFT;
    if (zoned)
        *to++ = 'Z';
    buffer_end_at(out, to);
    return WRITTEN;
}

outcome write_timestamp(buffer *out, const char *from, const char *end)
{
    return write_instant(out, from, end, false);
}

outcome write_timestamptz(buffer *out, const char *from, const char *end)
{
    return write_instant(out, from, end, true);
}
