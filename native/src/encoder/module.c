/* The type Encoder: rows of COPY's text format into keys and items of DynamoDB JSON. */
#include "cells.h"
#include "limits.h"
#include "text.h"

enum { PROTOCOL = 1 }; /* Raised with every change of what Encoder takes, writes or leaves. */

typedef struct {
    PyObject_HEAD
    cell *cells;
    Py_ssize_t count, width, most_bytes;
    Py_ssize_t key[MOST_KEY_ATTRIBUTES]; /* which cells make the key */
    Py_ssize_t key_count;
} encoder;

/* Where the key's attributes stand in what is written of a row, each from its comma on. */
typedef struct {
    size_t start[MOST_KEY_ATTRIBUTES], end[MOST_KEY_ATTRIBUTES];
} key_places;

/* ---- one row ---- */

static outcome write_field(const encoder *self, workspace *work, key_places *places, Py_ssize_t n, const char *from,
                           const char *end)
{
    size_t start = work->out.length;
    outcome done = write_cell(work, &self->cells[n], from, end);
    if (done == WRITTEN && work->out.length > (size_t)self->most_bytes)
        return LEFT;
    for (Py_ssize_t k = 0; k < self->key_count; k++) {
        if (self->key[k] == n) {
            places->start[k] = start;
            places->end[k] = work->out.length;
        }
    }
    return done;
}

/* Write the attributes of a row, each with a comma before it. */
static outcome write_row(const encoder *self, workspace *work, key_places *places, const char *from, Py_ssize_t length)
{
    const char *end = from + length;
    if (length > self->most_bytes || !is_utf8(from, end))
        return LEFT;
    work->out.length = 0;
    for (Py_ssize_t n = 0; n < self->width; n++) {
        const char *tab = memchr(from, '\t', (size_t)(end - from));
        if ((tab == NULL) != (n == self->width - 1))
            return LEFT;
        const char *field_end = tab ? tab : end;
        outcome done = n < self->count ? write_field(self, work, places, n, from, field_end) : WRITTEN;
        if (done != WRITTEN)
            return done;
        from = field_end + 1;
    }
    outcome done = BUFFER_ADD_LITERAL(&work->out, "}");
    work->out.start[0] = '{'; /* instead of the first comma */
    return done == WRITTEN && work->out.length > (size_t)self->most_bytes ? LEFT : done;
}

static PyObject *make_key(const encoder *self, const workspace *work, const key_places *places)
{
    size_t length = 1;
    for (Py_ssize_t k = 0; k < self->key_count; k++)
        length += places->end[k] - places->start[k];
    PyObject *key = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (key == NULL)
        return NULL;
    char *to = PyBytes_AS_STRING(key);
    for (Py_ssize_t k = 0; k < self->key_count; k++) {
        size_t bytes = places->end[k] - places->start[k];
        memcpy(to, work->out.start + places->start[k], bytes);
        *to = k ? ',' : '{';
        to += bytes;
    }
    *to = '}';
    return key;
}

/* Append and let go; -1 with an exception when either fails. */
static int append(PyObject *list, PyObject *made)
{
    if (made == NULL)
        return -1;
    int done = PyList_Append(list, made);
    Py_DECREF(made);
    return done;
}

/* ---- many rows ---- */

typedef struct {
    PyObject *keys, *items, *left;
} result;

static int encode_line(const encoder *self, workspace *work, const result *to, Py_ssize_t number, PyObject *line)
{
    if (!PyBytes_Check(line)) {
        PyErr_SetString(PyExc_TypeError, "a line is bytes");
        return -1;
    }
    key_places places = {{0}, {0}};
    outcome done = write_row(self, work, &places, PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line));
    if (done == LEFT)
        return append(to->left, PyLong_FromSsize_t(number));
    if (done == FAILED) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return -1;
    }
    if (append(to->keys, make_key(self, work, &places)) < 0)
        return -1;
    return append(to->items, PyBytes_FromStringAndSize(work->out.start, (Py_ssize_t)work->out.length));
}

static int encode_lines(const encoder *self, const result *to, PyObject *lines)
{
    workspace work = {{NULL, 0, 0}, {NULL, 0, 0}, {NULL, 0, 0}};
    int done = 0;
    for (Py_ssize_t n = 0; done == 0 && n < PyTuple_GET_SIZE(lines); n++)
        done = encode_line(self, &work, to, n, PyTuple_GET_ITEM(lines, n));
    buffer_free(&work.out);
    buffer_free(&work.text);
    buffer_free(&work.element);
    return done;
}

static PyObject *encoder_encode(encoder *self, PyObject *lines)
{
    /* Converters are Python, which may change a list while it is gone through. */
    PyObject *held = PySequence_Tuple(lines);
    if (held == NULL)
        return NULL;
    result to = {PyList_New(0), PyList_New(0), PyList_New(0)};
    PyObject *all = NULL;
    if (to.keys != NULL && to.items != NULL && to.left != NULL && encode_lines(self, &to, held) == 0)
        all = PyTuple_Pack(3, to.keys, to.items, to.left);
    Py_XDECREF(to.keys);
    Py_XDECREF(to.items);
    Py_XDECREF(to.left);
    Py_DECREF(held);
    return all;
}

/* ---- the type ---- */

static int take_key(encoder *self, PyObject *key)
{
    self->key_count = PyTuple_GET_SIZE(key);
    if (self->key_count < 1 || self->key_count > MOST_KEY_ATTRIBUTES) {
        PyErr_SetString(PyExc_ValueError, "a key has one or two attributes");
        return -1;
    }
    for (Py_ssize_t k = 0; k < self->key_count; k++) {
        Py_ssize_t n = PyNumber_AsSsize_t(PyTuple_GET_ITEM(key, k), PyExc_OverflowError);
        if (n == -1 && PyErr_Occurred())
            return -1;
        if (n < 0 || n >= self->count || self->cells[n].is_key) {
            PyErr_SetString(PyExc_ValueError, "a key is made of cells, each taken once");
            return -1;
        }
        self->key[k] = n;
        self->cells[n].is_key = true;
    }
    return 0;
}

static int take_cells(encoder *self, PyObject *cells)
{
    Py_ssize_t count = PyTuple_GET_SIZE(cells);
    self->cells = PyMem_Calloc((size_t)count + 1, sizeof(cell));
    if (self->cells == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (; self->count < count; self->count++) {
        if (cell_init(&self->cells[self->count], PyTuple_GET_ITEM(cells, self->count)) < 0) {
            cell_clear(&self->cells[self->count]);
            return -1;
        }
    }
    return 0;
}

static PyObject *encoder_new(PyTypeObject *type, PyObject *arguments, PyObject *named)
{
    static char *names[] = {"cells", "key", "width", "most_bytes", NULL};
    PyObject *cells, *key;
    Py_ssize_t width, most_bytes;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "O!O!nn", names, &PyTuple_Type, &cells, &PyTuple_Type, &key,
                                     &width, &most_bytes))
        return NULL;
    if (width < PyTuple_GET_SIZE(cells) || most_bytes < 0 || most_bytes > PY_SSIZE_T_MAX / 64) {
        PyErr_SetString(PyExc_ValueError, "a row has a field for each cell, and a length that there is");
        return NULL;
    }
    encoder *self = (encoder *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->width = width;
    self->most_bytes = most_bytes;
    if (take_cells(self, cells) < 0 || take_key(self, key) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int encoder_traverse(encoder *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t n = 0; n < self->count; n++)
        Py_VISIT(self->cells[n].convert);
    return 0;
}

static void encoder_dealloc(encoder *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    for (Py_ssize_t n = 0; n < self->count; n++)
        cell_clear(&self->cells[n]);
    PyMem_Free(self->cells);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef encoder_methods[] = {
    {"encode", (PyCFunction)encoder_encode, METH_O,
     "Return the keys and items of the lines, and the numbers of those that are left."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot encoder_slots[] = {
    {Py_tp_doc, "Encodes rows of one table, given as COPY's text. Not changed by use."},
    {Py_tp_new, encoder_new},
    {Py_tp_traverse, encoder_traverse},
    {Py_tp_dealloc, encoder_dealloc},
    {Py_tp_methods, encoder_methods},
    {0, NULL},
};

static PyType_Spec encoder_spec = {
    .name = "pg2dynamo_native.Encoder",
    .basicsize = sizeof(encoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = encoder_slots,
};

/* ---- the module ---- */

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &encoder_spec, NULL);
    if (type == NULL)
        return -1;
    int done = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return done < 0 ? -1 : PyModule_AddIntConstant(module, "PROTOCOL", PROTOCOL);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pg2dynamo_native._encoder",
    .m_doc = "See pg2dynamo_native.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__encoder(void)
{
    return PyModuleDef_Init(&module_definition);
}
