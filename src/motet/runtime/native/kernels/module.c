/* The extension module is a carrier of the kernels: Python finds its file and calls them by ctypes. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static struct PyModuleDef motet_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_kernels",
    .m_doc = "Kernels of the native runtime; see motet.runtime.native.extension.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModule_Create(&motet_module); }
