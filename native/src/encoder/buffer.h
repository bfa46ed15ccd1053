/* A growing run of bytes: what is written of a row before it becomes an object of Python. */
#ifndef PG2DYNAMO_BUFFER_H
#define PG2DYNAMO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Defined as 1 for the fuzzer: there is never more room than was asked for, so that a sanitizer sees each byte beyond. */
#ifndef BUFFER_EXACT
#define BUFFER_EXACT 0
#endif

typedef struct {
    char *start;
    size_t length;
    size_t capacity;
} buffer;

/* What became of a value, or of a row. FAILED: no memory, or an exception of Python is set. */
typedef enum { WRITTEN, LEFT, FAILED } outcome;

/* Make room for that many bytes more; false when there is no memory, and then nothing has changed. */
bool buffer_grow(buffer *out, size_t more);

void buffer_free(buffer *out);

/* Return where that many bytes may be written; NULL when there is no memory. They count when length says so. */
static inline char *buffer_room(buffer *out, size_t more)
{
    if ((BUFFER_EXACT || out->capacity - out->length < more) && !buffer_grow(out, more))
        return NULL;
    return out->start + out->length;
}

static inline void buffer_end_at(buffer *out, const char *end)
{
    out->length = (size_t)(end - out->start);
}

static inline outcome buffer_add(buffer *out, const char *text, size_t length)
{
    char *to = buffer_room(out, length);
    if (to == NULL)
        return FAILED;
    memcpy(to, text, length);
    out->length += length;
    return WRITTEN;
}

#define BUFFER_ADD_LITERAL(out, literal) buffer_add((out), (literal), sizeof(literal) - 1)

#endif
