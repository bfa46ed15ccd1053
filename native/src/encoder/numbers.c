#include "numbers.h"

#include "limits.h"

enum {
    LONGEST_PLAIN = 40,    /* 38 digits, a sign and a point: longer ones are written with an exponent */
    LONGEST_EXPONENT = 12, /* characters: a longer one is out of every range */
    ROOM = 64,             /* a sign, 38 digits and an exponent of four; or 40 characters */
};
static const long long OUT_OF_RANGE = 1000000000000LL;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Read an exponent, from its sign on; return its end, NULL when there is none. */
static const char *read_exponent(const char *from, const char *end, long long *exponent)
{
    bool negative = from < end && *from == '-';
    const char *digits = from + (from < end && (*from == '-' || *from == '+'));
    const char *last = skip_digits(digits, end);
    if (last == digits)
        return NULL;
    long long value = 0;
    if (last - from > LONGEST_EXPONENT)
        value = OUT_OF_RANGE;
    else
        for (const char *at = digits; at < last; at++)
            value = value * 10 + (*at - '0');
    *exponent = negative ? -value : value;
    return last;
}

const char *read_decimal(const char *from, const char *end, decimal *number)
{
    const char *at = from;
    *number = (decimal){.start = from, .negative = from < end && *from == '-'};
    at += number->negative;
    number->whole = at;
    at = skip_digits(at, end);
    number->whole_length = (size_t)(at - number->whole);
    if (number->whole_length == 0 || (number->whole_length > 1 && *number->whole == '0'))
        return NULL;
    number->fraction = at;
    if (at < end && *at == '.') {
        number->fraction = ++at;
        at = skip_digits(at, end);
        number->fraction_length = (size_t)(at - number->fraction);
        if (number->fraction_length == 0)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        number->has_exponent = true;
        at = read_exponent(at + 1, end, &number->exponent);
    }
    number->end = at;
    return at;
}

static char digit_at(const decimal *number, size_t place)
{
    return place < number->whole_length ? number->whole[place] : number->fraction[place - number->whole_length];
}

/* Write digits that stand for themselves times ten to the exponent, without an exponent; return the end. */
static char *write_plain(char *to, const char *digits, int count, int exponent)
{
    int point = count + exponent;
    if (exponent >= 0) {
        memcpy(to, digits, (size_t)count);
        memset(to + count, '0', (size_t)exponent);
        return to + point;
    }
    if (point > 0) {
        memcpy(to, digits, (size_t)point);
        to[point] = '.';
        memcpy(to + point + 1, digits + point, (size_t)(count - point));
        return to + count + 1;
    }
    memcpy(to, "0.", 2);
    memset(to + 2, '0', (size_t)-point);
    memcpy(to + 2 - point, digits, (size_t)count);
    return to + 2 - point + count;
}

static char *write_scientific(char *to, const char *digits, int count, int exponent)
{
    int first = exponent + count - 1, magnitude = first < 0 ? -first : first;
    *to++ = digits[0];
    if (count > 1) {
        *to++ = '.';
        memcpy(to, digits + 1, (size_t)(count - 1));
        to += count - 1;
    }
    *to++ = 'E';
    *to++ = first < 0 ? '-' : '+';
    if (magnitude >= 100)
        *to++ = (char)('0' + magnitude / 100);
    if (magnitude >= 10)
        *to++ = (char)('0' + magnitude / 10 % 10);
    *to++ = (char)('0' + magnitude % 10);
    return to;
}

static int plain_length(int count, int exponent)
{
    int point = count + exponent;
    return exponent >= 0 ? point : point > 0 ? count + 1 : 2 - point + count;
}

/* Write any number, in ROOM bytes; return the end, NULL when DynamoDB cannot hold it. */
static char *write_canonical(char *to, const decimal *number)
{
    size_t places = number->whole_length + number->fraction_length, first = 0, last = places;
    while (first < places && digit_at(number, first) == '0')
        first++;
    if (first == places) {
        *to = '0';
        return to + 1;
    }
    while (digit_at(number, last - 1) == '0')
        last--;
    if (last - first > NUMBER_DIGITS)
        return NULL;
    int count = (int)(last - first);
    long long exponent = number->exponent + (long long)number->whole_length - (long long)last;
    long long highest = exponent + count - 1;
    if (highest > NUMBER_HIGHEST_EXPONENT || highest < NUMBER_LOWEST_EXPONENT)
        return NULL;
    char digits[NUMBER_DIGITS];
    for (int n = 0; n < count; n++)
        digits[n] = digit_at(number, first + (size_t)n);
    if (number->negative)
        *to++ = '-';
    if (plain_length(count, (int)exponent) + number->negative <= LONGEST_PLAIN)
        return write_plain(to, digits, count, (int)exponent);
    return write_scientific(to, digits, count, (int)exponent);
}

/* Write a number of at most 38 characters without an exponent: always in range, and only zeros may go. */
static char *write_short(char *to, const decimal *number)
{
    const char *end = number->end;
    if (number->fraction_length) {
        while (end[-1] == '0')
            end--;
        end -= end[-1] == '.';
    }
    size_t length = (size_t)(end - number->start);
    if (number->negative && length == 2 && number->start[1] == '0') {
        *to = '0';
        return to + 1;
    }
    memcpy(to, number->start, length);
    return to + length;
}

outcome write_decimal(buffer *out, const decimal *number)
{
    char *to = buffer_room(out, ROOM);
    if (to == NULL)
        return FAILED;
    bool is_short = number->end - number->start <= NUMBER_DIGITS && !number->has_exponent;
    to = is_short ? write_short(to, number) : write_canonical(to, number);
    if (to == NULL)
        return LEFT;
    buffer_end_at(out, to);
    return WRITTEN;
}

outcome write_number(buffer *out, const char *from, const char *end)
{
    decimal number;
    if (read_decimal(from, end, &number) != end)
        return LEFT;
    /* Hazard: of a short text with a capital E the reference makes something else; PostgreSQL writes none. */
    if (number.has_exponent && memchr(from, 'E', (size_t)(end - from)))
        return LEFT;
    return write_decimal(out, &number);
}

outcome write_integer(buffer *out, const char *from, const char *end)
{
    const char *digits = from + (from < end && *from == '-');
    if (digits == end || skip_digits(digits, end) != end)
        return LEFT;
    return buffer_add(out, from, (size_t)(end - from));
}
