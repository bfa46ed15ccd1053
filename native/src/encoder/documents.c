#include "documents.h"

#include "json_string.h"
#include "limits.h"
#include "numbers.h"

typedef struct {
    char closing;     /* what ends the container */
    bool named;       /* whether it has a name already */
    json_string name; /* the last one */
} container;

typedef struct {
    buffer *out;
    const char *at, *end;
    int levels;
    container within[NESTING_LEVELS];
} document;

static void skip_space(document *d)
{
    while (d->at < d->end && (*d->at == ' ' || *d->at == '\t' || *d->at == '\n' || *d->at == '\r'))
        d->at++;
}

/* Go past the character when it is the next. */
static bool takes(document *d, char c)
{
    if (d->at == d->end || *d->at != c)
        return false;
    d->at++;
    return true;
}

static outcome write_constant(document *d, const char *name, const char *written)
{
    size_t length = strlen(name);
    if ((size_t)(d->end - d->at) < length || memcmp(d->at, name, length) != 0)
        return LEFT;
    d->at += length;
    return buffer_add(d->out, written, strlen(written));
}

static outcome write_string_value(document *d)
{
    json_string string;
    outcome done = BUFFER_ADD_LITERAL(d->out, "{\"S\":\"");
    if (done == WRITTEN)
        done = write_json_string(d->out, &d->at, d->end, &string);
    return done == WRITTEN ? BUFFER_ADD_LITERAL(d->out, "\"}") : done;
}

static outcome write_number_value(document *d)
{
    decimal number;
    const char *end = read_decimal(d->at, d->end, &number);
    if (end == NULL)
        return LEFT;
    d->at = end;
    outcome done = BUFFER_ADD_LITERAL(d->out, "{\"N\":\"");
    if (done == WRITTEN)
        done = write_decimal(d->out, &number);
    return done == WRITTEN ? BUFFER_ADD_LITERAL(d->out, "\"}") : done;
}

/* Write the name that comes next, with its colon. */
static outcome write_name(document *d)
{
    container *within = &d->within[d->levels - 1];
    json_string name;
    if (!takes(d, '"'))
        return LEFT;
    outcome done = BUFFER_ADD_LITERAL(d->out, "\"");
    if (done == WRITTEN)
        done = write_json_string(d->out, &d->at, d->end, &name);
    if (done != WRITTEN)
        return done;
    if (name.text_bytes == 0 || name.text_bytes > NAME_BYTES)
        return LEFT;
    if (within->named && !comes_before(d->out, &within->name, &name))
        return LEFT;
    within->named = true;
    within->name = name;
    skip_space(d);
    return takes(d, ':') ? BUFFER_ADD_LITERAL(d->out, "\":") : LEFT;
}

/* Write the beginning of a container, up to its first value when it has one; `ended` when it has none. */
static outcome open_container(document *d, bool *ended)
{
    bool is_map = *d->at++ == '{';
    if (d->levels == NESTING_LEVELS)
        return LEFT;
    container *within = &d->within[d->levels++];
    within->closing = is_map ? '}' : ']';
    within->named = false;
    outcome done = is_map ? BUFFER_ADD_LITERAL(d->out, "{\"M\":{") : BUFFER_ADD_LITERAL(d->out, "{\"L\":[");
    if (done != WRITTEN)
        return done;
    skip_space(d);
    *ended = d->at < d->end && *d->at == within->closing;
    return *ended || !is_map ? WRITTEN : write_name(d);
}

/* Write a value, or the beginning of a container; `ended` when the value is whole, or the container empty. */
static outcome write_value(document *d, bool *ended)
{
    skip_space(d);
    *ended = true;
    if (d->at == d->end)
        return LEFT;
    switch (*d->at) {
    case '"': d->at++; return write_string_value(d);
    case '{':
    case '[': return open_container(d, ended);
    case 't': return write_constant(d, "true", "{\"BOOL\":true}");
    case 'f': return write_constant(d, "false", "{\"BOOL\":false}");
    case 'n': return write_constant(d, "null", "{\"NULL\":true}");
    default: return write_number_value(d);
    }
}

/* Write what comes after a value: the ends of containers, then a comma with the next name when there is one. */
static outcome go_on(document *d)
{
    skip_space(d);
    while (d->levels && takes(d, d->within[d->levels - 1].closing)) {
        char closing = d->within[--d->levels].closing;
        outcome done = closing == '}' ? BUFFER_ADD_LITERAL(d->out, "}}") : BUFFER_ADD_LITERAL(d->out, "]}");
        if (done != WRITTEN)
            return done;
        skip_space(d);
    }
    if (d->levels == 0)
        return d->at == d->end ? WRITTEN : LEFT;
    if (!takes(d, ','))
        return LEFT;
    outcome done = BUFFER_ADD_LITERAL(d->out, ",");
    if (done != WRITTEN || d->within[d->levels - 1].closing == ']')
        return done;
    skip_space(d);
    return write_name(d);
}

outcome write_document(buffer *out, const char *from, const char *end)
{
    document d;
    d.out = out;
    d.at = from;
    d.end = end;
    d.levels = 0;
    do {
        bool ended;
        outcome done = write_value(&d, &ended);
        if (done == WRITTEN && ended)
            done = go_on(&d);
        if (done != WRITTEN)
            return done;
    } while (d.levels);
    return WRITTEN;
}
