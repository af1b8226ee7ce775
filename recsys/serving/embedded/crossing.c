/* See crossing.h. What crosses between the two, for each tensor, is the tuple (name, data type as Triton numbers
 * it, shape, buffer).
 */
#include "crossing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Error *python_error(void) {
  PyObject *type = NULL, *value = NULL, *trace = NULL;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  PyObject *words = value != NULL ? PyUnicode_FromFormat("%s: %S", Py_TYPE(value)->tp_name, value) : NULL;
  const char *text = words != NULL ? PyUnicode_AsUTF8(words) : NULL;
  Error *error = TRITONSERVER_ErrorNew(ERROR_INTERNAL, text != NULL ? text : "a Python error without words");
  PyErr_Clear();
  Py_XDECREF(words);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(trace);
  return error;
}

/* One input of a request. */
typedef struct {
  const char *name;
  int datatype;
  const int64_t *shape;
  uint32_t dims, buffers;
  uint64_t bytes;
  Input *input;
} Given;

static Error *describe(Input *input, Given *given) {
  given->input = input;
  return TRITONBACKEND_InputProperties(
      input, &given->name, &given->datatype, &given->shape, &given->dims, &given->bytes, &given->buffers);
}

/* Copies an input, which may lie in pieces, and moves `to` behind it. */
static Error *copy_input(const Given *given, char **to) {
  for (uint32_t i = 0; i < given->buffers; i++) {
    const void *data = NULL;
    uint64_t part = 0;
    int memory_type = MEMORY_CPU;
    int64_t memory_id = 0;
    TRY(TRITONBACKEND_InputBuffer(given->input, i, &data, &part, &memory_type, &memory_id));
    if (memory_type == MEMORY_GPU) {
      return TRITONSERVER_ErrorNew(ERROR_INVALID, "a tensor is in GPU memory. Send it in CPU memory");
    }
    memcpy(*to, data, part);
    *to += part;
  }
  return NULL;
}

bool same_inputs(Request *one, Request *other) {
  uint32_t count = 0, others = 0;
  if (TRITONBACKEND_RequestInputCount(one, &count) != NULL) return false;
  if (TRITONBACKEND_RequestInputCount(other, &others) != NULL || count != others) return false;
  for (uint32_t i = 0; i < count; i++) {
    const char *name;
    Input *input;
    if (TRITONBACKEND_RequestInputName(one, i, &name) != NULL) return false;
    Error *missing = TRITONBACKEND_RequestInput(other, name, &input);
    if (missing != NULL) {
      TRITONSERVER_ErrorDelete(missing);
      return false;
    }
  }
  return true;
}

/* One input of all requests; the name is the first request's. */
static Error *stack(Request **requests, uint32_t count, const char *name, PyObject **stacked) {
  Given first, given[count];
  uint64_t bytes = 0;
  int64_t rows = 0;
  for (uint32_t i = 0; i < count; i++) {
    Input *input;
    TRY(TRITONBACKEND_RequestInput(requests[i], name, &input));
    TRY(describe(input, &given[i]));
    bytes += given[i].bytes;
    rows += given[i].dims > 0 ? given[i].shape[0] : 1;
  }
  first = given[0];
  PyObject *whole = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);
  if (whole == NULL) return python_error();
  char *to = PyBytes_AS_STRING(whole);
  for (uint32_t i = 0; i < count; i++) {
    Error *error = copy_input(&given[i], &to);
    if (error != NULL) {
      Py_DECREF(whole);
      return error;
    }
  }
  PyObject *shape = PyTuple_New(first.dims);
  for (uint32_t i = 0; i < first.dims; i++) {
    PyTuple_SET_ITEM(shape, i, PyLong_FromLongLong(i == 0 ? rows : first.shape[i]));
  }
  *stacked = Py_BuildValue("(siNN)", first.name, first.datatype, shape, whole);
  return *stacked == NULL ? python_error() : NULL;
}

PyObject *stacked_inputs(Request **requests, uint32_t count, Error **error) {
  uint32_t inputs = 0;
  if ((*error = TRITONBACKEND_RequestInputCount(requests[0], &inputs)) != NULL) return NULL;
  PyObject *all = PyList_New(inputs);
  for (uint32_t i = 0; i < inputs; i++) {
    const char *name;
    PyObject *stacked = NULL;
    *error = TRITONBACKEND_RequestInputName(requests[0], i, &name);
    if (*error == NULL) *error = stack(requests, count, name, &stacked);
    if (*error != NULL) {
      Py_DECREF(all);
      return NULL;
    }
    PyList_SET_ITEM(all, i, stacked);
  }
  return all;
}

static int read_tensor(PyObject *from, Tensor *tensor) {
  PyObject *shape, *array;
  if (!PyArg_ParseTuple(from, "siO!O", &tensor->name, &tensor->datatype, &PyTuple_Type, &shape, &array)) return -1;
  tensor->dims = (uint32_t)PyTuple_GET_SIZE(shape);
  if (tensor->dims > MOST_DIMS) {
    PyErr_SetString(PyExc_ValueError, "an output has too many dimensions");
    return -1;
  }
  for (uint32_t i = 0; i < tensor->dims; i++) tensor->shape[i] = PyLong_AsLongLong(PyTuple_GET_ITEM(shape, i));
  if (PyErr_Occurred()) return -1;
  return PyObject_GetBuffer(array, &tensor->view, PyBUF_SIMPLE);
}

int read_made(PyObject *from, uint64_t rows, Made *made) {
  Py_ssize_t count = PyList_Size(from);
  if (count < 0) return -1;
  made->owner = Py_NewRef(from);
  made->tensors = calloc((size_t)count + 1, sizeof(Tensor));
  if (made->tensors == NULL) {
    PyErr_NoMemory();
    return -1;
  }
  for (Py_ssize_t i = 0; i < count; i++) {
    Tensor *tensor = &made->tensors[i];
    if (read_tensor(PyList_GET_ITEM(from, i), tensor) != 0) return -1;
    made->count++;
    if (tensor->dims == 0 || (uint64_t)tensor->shape[0] != rows) {
      PyErr_Format(PyExc_ValueError, "output %s is not of %llu rows", tensor->name, (unsigned long long)rows);
      return -1;
    }
  }
  return 0;
}

void forget_made(Made *made) {
  for (Py_ssize_t i = 0; i < made->count; i++) PyBuffer_Release(&made->tensors[i].view);
  free(made->tensors);
  Py_XDECREF(made->owner);
}

static bool is_wanted(Request *request, const char *name) {
  uint32_t count = 0;
  const char *wanted;
  if (TRITONBACKEND_RequestOutputCount(request, &count) != NULL) return false;
  for (uint32_t i = 0; i < count; i++) {
    if (TRITONBACKEND_RequestOutputName(request, i, &wanted) == NULL && strcmp(wanted, name) == 0) return true;
  }
  return false;
}

static Error *add_output(Response *response, const Tensor *tensor, const Answer *answer) {
  Output *output;
  void *buffer;
  int memory_type = MEMORY_CPU;
  int64_t memory_id = 0, shape[MOST_DIMS];
  memcpy(shape, tensor->shape, sizeof(shape));
  shape[0] = (int64_t)answer->rows;
  TRY(TRITONBACKEND_ResponseOutput(response, &output, tensor->name, tensor->datatype, shape, tensor->dims));
  uint64_t row = (uint64_t)tensor->view.len / (uint64_t)tensor->shape[0];
  TRY(TRITONBACKEND_OutputBuffer(output, &buffer, row * answer->rows, &memory_type, &memory_id));
  if (memory_type == MEMORY_GPU) return TRITONSERVER_ErrorNew(ERROR_INTERNAL, "an output is wanted in GPU memory");
  memcpy(buffer, (const char *)tensor->view.buf + row * answer->first, row * answer->rows);
  return NULL;
}

void log_and_delete(Error *error) {
  if (error == NULL) return;
  fprintf(stderr, "stages: %s\n", TRITONSERVER_ErrorMessage(error));
  TRITONSERVER_ErrorDelete(error);
}

bool respond(Request *request, Answer *answer) {
  Response *response;
  Error *error = TRITONBACKEND_ResponseNew(&response, request);
  if (error != NULL) {
    log_and_delete(error);
    log_and_delete(answer->error);
    return false;
  }
  error = answer->error;
  for (Py_ssize_t i = 0; error == NULL && i < answer->made->count; i++) {
    const Tensor *tensor = &answer->made->tensors[i];
    if (is_wanted(request, tensor->name)) error = add_output(response, tensor, answer);
  }
  bool success = error == NULL;
  log_and_delete(TRITONBACKEND_ResponseSend(response, FINAL, error));
  if (error != NULL) TRITONSERVER_ErrorDelete(error);
  return success;
}

uint64_t rows_of(Request *request) {
  Input *input;
  const char *name;
  int datatype;
  const int64_t *shape;
  uint32_t dims = 0, buffers;
  uint64_t bytes;
  if (TRITONBACKEND_RequestInputByIndex(request, 0, &input) != NULL) return 1;
  if (TRITONBACKEND_InputProperties(input, &name, &datatype, &shape, &dims, &bytes, &buffers) != NULL) return 1;
  return dims > 0 && shape[0] > 0 ? (uint64_t)shape[0] : 1;
}
