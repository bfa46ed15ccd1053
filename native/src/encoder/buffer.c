#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>

enum { FIRST_BYTES = 4096 };

bool buffer_grow(buffer *out, size_t more)
{
    if (more > SIZE_MAX / 4 || out->length > SIZE_MAX / 4)
        return false;
    size_t needed = out->length + more;
    size_t capacity = out->capacity < FIRST_BYTES ? FIRST_BYTES : out->capacity * 2;
    if (capacity < needed || BUFFER_EXACT)
        capacity = needed;
    char *start = realloc(out->start, capacity ? capacity : 1);
    if (start == NULL)
        return false;
    out->start = start;
    out->capacity = capacity;
    return true;
}

void buffer_free(buffer *out)
{
    free(out->start);
    *out = (buffer){NULL, 0, 0};
}
