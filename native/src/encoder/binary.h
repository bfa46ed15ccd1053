/* bytea in hex into base64. */
#ifndef PG2DYNAMO_BINARY_H
#define PG2DYNAMO_BINARY_H

#include "buffer.h"

/* How many characters stand before the hex digits of a bytea in COPY: a backslash that is escaped, and x. */
enum { BINARY_PREFIX = 3 };

/* Write the content of a field of COPY; LEFT when it is not pairs of hex digits after the prefix. */
outcome write_binary(buffer *out, const char *from, const char *end);

#endif
