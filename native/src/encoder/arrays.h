/* Arrays of one dimension into L. */
#ifndef PG2DYNAMO_ARRAYS_H
#define PG2DYNAMO_ARRAYS_H

#include "buffer.h"

/* How the elements are written: what stands before a value and after it, and what writes it. */
typedef struct {
    const char *before, *after;
    outcome (*write)(buffer *out, const char *from, const char *end);
} element_form;

/* Write an array literal as an attribute value; `scratch` is for elements without their escapes. LEFT when it has more
   dimensions, or bounds, or is not as PostgreSQL writes it. */
outcome write_array(buffer *out, buffer *scratch, const element_form *form, const char *from, const char *end);

#endif
