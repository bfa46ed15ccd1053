#include "cells.h"

#include "arrays.h"
#include "binary.h"
#include "documents.h"
#include "instants.h"
#include "numbers.h"
#include "text.h"

static outcome write_boolean(buffer *out, const char *from, const char *end)
{
    if (end - from != 1 || (*from != 't' && *from != 'f'))
        return LEFT;
    return *from == 't' ? BUFFER_ADD_LITERAL(out, "true") : BUFFER_ADD_LITERAL(out, "false");
}

typedef outcome writer(buffer *out, const char *from, const char *end);

/* By form: its name, what stands around the content, what writes that of a field, and that of an array's element. */
static const struct {
    const char *name, *before, *after;
    writer *of_field, *of_element;
} FORMS[] = {
    [FORM_TEXT] = {"S", "{\"S\":\"", "\"}", write_copy_text, write_text},
    [FORM_INTEGER] = {"N", "{\"N\":\"", "\"}", write_integer, write_integer},
    [FORM_DECIMAL] = {"D", "{\"N\":\"", "\"}", write_number, write_number},
    [FORM_BINARY] = {"B", "{\"B\":\"", "\"}", write_binary, NULL},
    [FORM_BOOLEAN] = {"BOOL", "{\"BOOL\":", "}", write_boolean, write_boolean},
    [FORM_DATE] = {"DATE", "{\"S\":\"", "\"}", write_date, write_date},
    [FORM_TIME] = {"TIME", "{\"S\":\"", "\"}", write_time, NULL},
    [FORM_TIMESTAMP] = {"TIMESTAMP", "{\"S\":\"", "\"}", write_timestamp, write_timestamp},
    [FORM_TIMESTAMPTZ] = {"TIMESTAMPTZ", "{\"S\":\"", "\"}", write_timestamptz, write_timestamptz},
    [FORM_DOCUMENT] = {"JSONB", "", "", NULL, NULL},
    [FORM_OTHER] = {"OTHER", "", "", NULL, NULL},
};

static int find_form(cell *made, const char *name)
{
    made->is_array = *name == '[';
    name += made->is_array;
    for (int n = FORM_TEXT; n <= FORM_OTHER; n++) {
        if (strcmp(FORMS[n].name, name) != 0)
            continue;
        made->form = (form)n;
        if (!made->is_array || FORMS[n].of_element != NULL)
            return 0;
    }
    PyErr_Format(PyExc_ValueError, "a cell of the unknown form %s", name);
    return -1;
}

static int make_before(cell *made, const char *name, size_t length)
{
    const char *opening = made->is_array ? "" : FORMS[made->form].before;
    size_t opening_length = strlen(opening);
    made->name_length = length + 2;
    made->before_length = made->name_length + opening_length;
    made->before = PyMem_Malloc(made->before_length);
    if (made->before == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    made->before[0] = ',';
    memcpy(made->before + 1, name, length);
    made->before[length + 1] = ':';
    memcpy(made->before + made->name_length, opening, opening_length);
    made->after = made->is_array ? "" : FORMS[made->form].after;
    return 0;
}

int cell_init(cell *made, PyObject *described)
{
    const char *name, *form_name;
    Py_ssize_t name_length, key_limit;
    int nulls;
    PyObject *convert;
    if (!PyTuple_Check(described)) {
        PyErr_SetString(PyExc_TypeError, "a cell is a tuple (name, form, nulls, key_limit, convert)");
        return -1;
    }
    if (!PyArg_ParseTuple(described, "y#spnO", &name, &name_length, &form_name, &nulls, &key_limit, &convert))
        return -1;
    if (key_limit < 0 || !PyCallable_Check(convert)) {
        PyErr_SetString(PyExc_ValueError, "a cell's limit is not negative, and its converter can be called");
        return -1;
    }
    made->nulls = nulls;
    made->key_limit = key_limit;
    if (find_form(made, form_name) < 0 || make_before(made, name, (size_t)name_length) < 0)
        return -1;
    if (made->is_array || made->form == FORM_OTHER)
        made->convert = Py_NewRef(convert);
    return 0;
}

void cell_clear(cell *made)
{
    PyMem_Free(made->before);
    made->before = NULL;
    Py_CLEAR(made->convert);
}

/* Take COPY's escapes out of a field; from and end are those of its text then. */
static outcome unescaped(workspace *work, const char **from, const char **end)
{
    if (memchr(*from, '\\', (size_t)(*end - *from)) == NULL)
        return WRITTEN;
    work->text.length = 0;
    outcome done = unescape_copy(&work->text, *from, *end);
    *from = work->text.start;
    *end = work->text.start + work->text.length;
    return done;
}

/* Write the attribute value that Python makes of a text. */
static outcome write_converted(workspace *work, const cell *made, const char *from, const char *end)
{
    PyObject *text = PyUnicode_DecodeUTF8(from, end - from, NULL);
    if (text == NULL)
        return FAILED;
    PyObject *value = PyObject_CallOneArg(made->convert, text);
    Py_DECREF(text);
    if (value == NULL)
        return FAILED;
    outcome done = LEFT;
    if (PyBytes_Check(value)) {
        done = buffer_add(&work->out, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
    } else if (value != Py_None) {
        PyErr_SetString(PyExc_TypeError, "a converter returns bytes or None");
        done = FAILED;
    }
    Py_DECREF(value);
    return done;
}

static outcome write_array_cell(workspace *work, const cell *made, const char *from, const char *end)
{
    element_form elements = {FORMS[made->form].before, FORMS[made->form].after, FORMS[made->form].of_element};
    size_t start = work->out.length;
    outcome done = write_array(&work->out, &work->element, &elements, from, end);
    if (done != LEFT)
        return done;
    work->out.length = start;
    return write_converted(work, made, from, end);
}

static outcome write_value(workspace *work, const cell *made, const char *from, const char *end)
{
    if (!made->is_array && FORMS[made->form].of_field != NULL)
        return FORMS[made->form].of_field(&work->out, from, end);
    outcome done = unescaped(work, &from, &end);
    if (done != WRITTEN)
        return done;
    if (made->is_array)
        return write_array_cell(work, made, from, end);
    return made->form == FORM_DOCUMENT ? write_document(&work->out, from, end) : write_converted(work, made, from, end);
}

/* Whether a field may be a key: COPY's text is never shorter than the text that it stands for. */
static bool fits_key(const cell *made, const char *from, const char *end)
{
    Py_ssize_t bytes = end - from;
    if (made->form == FORM_BINARY)
        bytes = (bytes - BINARY_PREFIX) / 2;
    return bytes > 0 && bytes <= made->key_limit;
}

static outcome write_null(workspace *work, const cell *made)
{
    if (made->is_key)
        return LEFT;
    if (!made->nulls)
        return WRITTEN;
    outcome done = buffer_add(&work->out, made->before, made->name_length);
    return done == WRITTEN ? BUFFER_ADD_LITERAL(&work->out, "{\"NULL\":true}") : done;
}

outcome write_cell(workspace *work, const cell *made, const char *from, const char *end)
{
    if (end - from == 2 && from[0] == '\\' && from[1] == 'N')
        return write_null(work, made);
    if (made->key_limit && !fits_key(made, from, end))
        return LEFT;
    outcome done = buffer_add(&work->out, made->before, made->before_length);
    if (done == WRITTEN)
        done = write_value(work, made, from, end);
    return done == WRITTEN ? buffer_add(&work->out, made->after, strlen(made->after)) : done;
}
