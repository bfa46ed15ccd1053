/* DynamoDB's limits, as pg2dynamo's mapping/limits.py has them. */
#ifndef PG2DYNAMO_LIMITS_H
#define PG2DYNAMO_LIMITS_H

enum {
    NESTING_LEVELS = 32,
    NAME_BYTES = 65535,
    NUMBER_DIGITS = 38,
    NUMBER_HIGHEST_EXPONENT = 125,
    NUMBER_LOWEST_EXPONENT = -130,
    MOST_KEY_ATTRIBUTES = 2,
};

#endif
