/* What fiscotool/pbft/quick.py does, in C: copies of tuples with one item changed, and frozen values filled without asking.
 *
 * Rule 1. Same arguments, same values as the functions of quick.py, which stay in force where this is not built.
 * Rule 2. What is not the usual case (keywords, too few arguments) is left to the class itself.
 *
 * Built by scripts/fast/build.py into build/fast, never beside the sources. Sources: CPython's C API, Objects/tupleobject.c for
 * how a subclass of tuple is allocated, Objects/descrobject.c for where a slot lies.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* A new tuple of the same class with the same items. */
static PyObject *copy_of(PyObject *old)
{
    if (!PyTuple_Check(old)) {
        PyErr_SetString(PyExc_TypeError, "a tuple is wanted");
        return NULL;
    }
    PyTypeObject *type = Py_TYPE(old);
    Py_ssize_t count = PyTuple_GET_SIZE(old);
    PyObject *copy = type->tp_alloc(type, count);
    if (copy == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyTuple_GET_ITEM(old, i);
        Py_INCREF(item);
        PyTuple_SET_ITEM(copy, i, item);
    }
    return copy;
}

/* Puts `value` in its place of a fresh copy; 0 when there is no such place. */
static int put(PyObject *copy, Py_ssize_t place, PyObject *value)
{
    if (place < 0 || place >= PyTuple_GET_SIZE(copy)) {
        PyErr_SetString(PyExc_IndexError, "no such place");
        return 0;
    }
    PyObject *old = PyTuple_GET_ITEM(copy, place);
    Py_INCREF(value);
    PyTuple_SET_ITEM(copy, place, value);
    Py_DECREF(old);
    return 1;
}

/* `self` is a tuple of places: f(tuple, value, ...) with one value a place. */
static PyObject *change(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t places = PyTuple_GET_SIZE(self);
    if (nargs != places + 1) {
        PyErr_SetString(PyExc_TypeError, "a tuple and one value for each place are wanted");
        return NULL;
    }
    PyObject *copy = copy_of(args[0]);
    if (copy == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < places; i++) {
        if (!put(copy, PyLong_AsSsize_t(PyTuple_GET_ITEM(self, i)), args[i + 1])) {
            Py_DECREF(copy);
            return NULL;
        }
    }
    return copy;
}

static PyMethodDef change_method = {"change", (PyCFunction)(void (*)(void))change, METH_FASTCALL, "A copy with other items in these places."};

/* changer(place, ...): the function `change` for these places. */
static PyObject *changer(PyObject *module, PyObject *args)
{
    (void)module;
    return PyCFunction_New(&change_method, args);
}

/* replace(tuple, places, changes): a copy with `changes`, by name; KeyError names a field that does not exist. */
static PyObject *replace(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 3 || !PyDict_Check(args[1]) || !PyDict_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "replace(tuple, places, changes)");
        return NULL;
    }
    PyObject *copy = copy_of(args[0]);
    if (copy == NULL)
        return NULL;
    PyObject *name, *value;
    for (Py_ssize_t position = 0; PyDict_Next(args[2], &position, &name, &value);) {
        PyObject *place = PyDict_GetItemWithError(args[1], name);
        if (place == NULL && !PyErr_Occurred())
            PyErr_SetObject(PyExc_KeyError, name);
        if (place == NULL || !put(copy, PyLong_AsSsize_t(place), value)) {
            Py_DECREF(copy);
            return NULL;
        }
    }
    return copy;
}

/* `self` is (class, defaults, offsets); a default that is the class itself stands for none. */
static PyObject *make(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    PyObject *cls = PyTuple_GET_ITEM(self, 0), *defaults = PyTuple_GET_ITEM(self, 1);
    const Py_ssize_t *offsets = (const Py_ssize_t *)PyBytes_AS_STRING(PyTuple_GET_ITEM(self, 2));
    Py_ssize_t count = PyTuple_GET_SIZE(defaults);
    if (names != NULL || nargs > count || (nargs < count && PyTuple_GET_ITEM(defaults, nargs) == cls))
        return PyObject_Vectorcall(cls, args, (size_t)nargs, names);
    PyTypeObject *type = (PyTypeObject *)cls;
    PyObject *made = type->tp_alloc(type, 0);
    if (made == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = i < nargs ? args[i] : PyTuple_GET_ITEM(defaults, i);
        Py_INCREF(value);
        *(PyObject **)((char *)made + offsets[i]) = value;
    }
    return made;
}

static PyMethodDef make_method = {"make", (PyCFunction)(void (*)(void))make, METH_FASTCALL | METH_KEYWORDS, "A value of the class."};

/* maker(class, names, defaults): the function `make` for a class whose fields are slots. */
static PyObject *maker(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *cls, *names, *defaults;
    if (!PyArg_ParseTuple(args, "O!O!O!", &PyType_Type, &cls, &PyTuple_Type, &names, &PyTuple_Type, &defaults))
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    if (PyTuple_GET_SIZE(defaults) != count) {
        PyErr_SetString(PyExc_ValueError, "one default for each name");
        return NULL;
    }
    PyObject *offsets = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(Py_ssize_t));
    if (offsets == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *slot = PyObject_GetAttr(cls, PyTuple_GET_ITEM(names, i));
        int is_slot = slot != NULL && Py_TYPE(slot) == &PyMemberDescr_Type && ((PyMemberDescrObject *)slot)->d_member->type == T_OBJECT_EX;
        if (is_slot)
            ((Py_ssize_t *)PyBytes_AS_STRING(offsets))[i] = ((PyMemberDescrObject *)slot)->d_member->offset;
        else if (slot != NULL)
            PyErr_SetString(PyExc_TypeError, "every field must be a slot");
        Py_XDECREF(slot);
        if (!is_slot) {
            Py_DECREF(offsets);
            return NULL;
        }
    }
    PyObject *known = PyTuple_Pack(3, cls, defaults, offsets);
    Py_DECREF(offsets);
    if (known == NULL)
        return NULL;
    PyObject *function = PyCFunction_New(&make_method, known);
    Py_DECREF(known);
    return function;
}

static PyMethodDef methods[] = {
    {"changer", changer, METH_VARARGS, "changer(place, ...) -> f(tuple, value, ...)"},
    {"replace", (PyCFunction)(void (*)(void))replace, METH_FASTCALL, "replace(tuple, places, changes)"},
    {"maker", maker, METH_VARARGS, "maker(class, names, defaults) -> f(*fields)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "copying", "Copies and values, faster.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_copying(void)
{
    return PyModule_Create(&definition);
}
