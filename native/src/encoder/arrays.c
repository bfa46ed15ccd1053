#include "arrays.h"

typedef struct {
    const char *from, *end;
    bool is_null;
} element;

/* Read an element in quotes, from after the first on; return where it ends, NULL when it does not. In scratch there is
   room for it. */
static const char *read_quoted(const char *from, const char *end, buffer *scratch, element *read)
{
    const char *at = from;
    bool escaped = false;
    while (at < end && *at != '"') {
        escaped |= *at == '\\';
        at += *at == '\\' ? 2 : 1;
    }
    if (at >= end)
        return NULL;
    *read = (element){from, at, false};
    if (!escaped)
        return at + 1;
    char *to = scratch->start;
    read->from = to;
    for (; from < at; from++) {
        from += *from == '\\';
        *to++ = *from;
    }
    read->end = to;
    return at + 1;
}

/* Read an element without quotes; return where it ends, NULL when it is none. */
static const char *read_bare(const char *from, const char *end, element *read)
{
    const char *at = from;
    while (at < end && *at != ',' && *at != '}') {
        if (*at == '{' || *at == '"' || *at == '\\')
            return NULL;
        at++;
    }
    *read = (element){from, at, at - from == 4 && memcmp(from, "NULL", 4) == 0};
    return at > from ? at : NULL;
}

static outcome write_element(buffer *out, const element_form *form, const element *read)
{
    if (read->is_null)
        return BUFFER_ADD_LITERAL(out, "{\"NULL\":true}");
    outcome done = buffer_add(out, form->before, strlen(form->before));
    if (done == WRITTEN)
        done = form->write(out, read->from, read->end);
    return done == WRITTEN ? buffer_add(out, form->after, strlen(form->after)) : done;
}

outcome write_array(buffer *out, buffer *scratch, const element_form *form, const char *from, const char *end)
{
    if (end - from < 2 || *from != '{')
        return LEFT;
    scratch->length = 0;
    if (buffer_room(scratch, (size_t)(end - from)) == NULL)
        return FAILED;
    outcome done = BUFFER_ADD_LITERAL(out, "{\"L\":[");
    if (done == WRITTEN && end - from == 2 && from[1] == '}')
        return BUFFER_ADD_LITERAL(out, "]}");
    const char *at = from;
    while (done == WRITTEN) {
        element read;
        at++; /* the brace, or a comma */
        if (at == end)
            return LEFT;
        at = *at == '"' ? read_quoted(at + 1, end, scratch, &read) : read_bare(at, end, &read);
        if (at == NULL || at == end)
            return LEFT;
        done = write_element(out, form, &read);
        if (done != WRITTEN)
            return done;
        if (*at == '}')
            return at + 1 == end ? BUFFER_ADD_LITERAL(out, "]}") : LEFT;
        if (*at != ',')
            return LEFT;
        done = BUFFER_ADD_LITERAL(out, ",");
    }
    return done;
}
