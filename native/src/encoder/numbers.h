/* Decimal numbers into DynamoDB's form, as pg2dynamo's mapping/numbers.py writes them. */
#ifndef PG2DYNAMO_NUMBERS_H
#define PG2DYNAMO_NUMBERS_H

#include "buffer.h"

typedef struct {
    const char *start, *end;       /* the whole text */
    const char *whole, *fraction;  /* the digits before the point and after it; no useless zero before */
    size_t whole_length, fraction_length;
    bool negative, has_exponent;
    long long exponent; /* far out of range when it is longer than any that is in range */
} decimal;

/* Read the number that begins here, as JSON has numbers; return its end, NULL when there is none. */
const char *read_decimal(const char *from, const char *end, decimal *number);

/* Write a number in DynamoDB's one form of its value; LEFT when DynamoDB cannot hold it. */
outcome write_decimal(buffer *out, const decimal *number);

/* Write the text of a numeric or a float; LEFT when it is not finite, or not as PostgreSQL writes it. */
outcome write_number(buffer *out, const char *from, const char *end);

/* Write the text of an integer. */
outcome write_integer(buffer *out, const char *from, const char *end);

#endif
