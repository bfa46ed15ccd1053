/* The fields of a row, by their forms. */
#ifndef PG2DYNAMO_CELLS_H
#define PG2DYNAMO_CELLS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "buffer.h"

typedef enum {
    FORM_TEXT,
    FORM_INTEGER,
    FORM_DECIMAL,
    FORM_BINARY,
    FORM_BOOLEAN,
    FORM_DATE,
    FORM_TIME,
    FORM_TIMESTAMP,
    FORM_TIMESTAMPTZ,
    FORM_DOCUMENT,
    FORM_OTHER,
} form;

typedef struct {
    char *before;            /* a comma, the name, a colon and the beginning of the value */
    size_t before_length;
    size_t name_length;      /* how much of it comes before the value */
    const char *after;       /* the end of the value */
    form form;               /* of the value, or of the elements of an array */
    bool is_array, nulls, is_key;
    Py_ssize_t key_limit;    /* 0 where there is none */
    PyObject *convert;       /* text -> bytes of the attribute value, None when the row is left; NULL where never asked */
} cell;

/* What a call needs beside what it writes; empty at first. */
typedef struct {
    buffer out;     /* the row */
    buffer text;    /* a field without COPY's escapes */
    buffer element; /* an element of an array without its own */
} workspace;

/* Make a cell of what Python says; -1 with an exception when that is not a cell. */
int cell_init(cell *made, PyObject *described);

void cell_clear(cell *made);

/* Write the attribute of a field, with a comma before it; nothing where it is NULL and that is left out. */
outcome write_cell(workspace *work, const cell *made, const char *from, const char *end);

#endif
