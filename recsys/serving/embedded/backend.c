/* A Triton backend that runs the models' stages on a Python embedded in the server's process.
 *
 * Python's part is recsys.serving.embedded.host. What crosses between the two, for each tensor, is the tuple
 * (name, data type as Triton numbers it, shape, buffer). Python's lock is held while a stage runs and while
 * its tensors are handed over, not while responses are sent: sending one starts the ensemble's next step.
 *
 * Only what is used of Triton's API (triton-inference-server/core, include/triton/core/tritonbackend.h and
 * tritonserver.h, API version 1) is declared here, since the server's wheel holds no headers.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Backend Backend;
typedef struct Model Model;
typedef struct Instance Instance;
typedef struct Request Request;
typedef struct Input Input;
typedef struct Response Response;
typedef struct Output Output;
typedef struct Error Error;
typedef struct Message Message;

enum { ERROR_INTERNAL = 1, ERROR_INVALID = 3, MEMORY_CPU = 0, MEMORY_GPU = 2, FINAL = 1, RELEASE_ALL = 1 };

extern Error *TRITONSERVER_ErrorNew(int code, const char *message);
extern void TRITONSERVER_ErrorDelete(Error *error);
extern const char *TRITONSERVER_ErrorMessage(Error *error);
extern Error *TRITONSERVER_MessageSerializeToJson(Message *message, const char **base, size_t *size);
extern Error *TRITONSERVER_MessageDelete(Message *message);
extern Error *TRITONBACKEND_ModelName(Model *model, const char **name);
extern Error *TRITONBACKEND_ModelVersion(Model *model, uint64_t *version);
extern Error *TRITONBACKEND_ModelConfig(Model *model, uint32_t config_version, Message **config);
extern Error *TRITONBACKEND_ModelInstanceModel(Instance *instance, Model **model);
extern Error *TRITONBACKEND_ModelInstanceState(Instance *instance, void **state);
extern Error *TRITONBACKEND_ModelInstanceSetState(Instance *instance, void *state);
extern Error *TRITONBACKEND_ModelInstanceReportStatistics(
    Instance *instance, Request *request, bool success, uint64_t exec_start, uint64_t compute_start,
    uint64_t compute_end, uint64_t exec_end);
extern Error *TRITONBACKEND_ModelInstanceReportBatchStatistics(
    Instance *instance, uint64_t batch_size, uint64_t exec_start, uint64_t compute_start, uint64_t compute_end,
    uint64_t exec_end);
extern Error *TRITONBACKEND_RequestInputCount(Request *request, uint32_t *count);
extern Error *TRITONBACKEND_RequestInputByIndex(Request *request, uint32_t index, Input **input);
extern Error *TRITONBACKEND_RequestOutputCount(Request *request, uint32_t *count);
extern Error *TRITONBACKEND_RequestOutputName(Request *request, uint32_t index, const char **name);
extern Error *TRITONBACKEND_RequestRelease(Request *request, uint32_t flags);
extern Error *TRITONBACKEND_InputProperties(
    Input *input, const char **name, int *datatype, const int64_t **shape, uint32_t *dims, uint64_t *bytes,
    uint32_t *buffers);
extern Error *TRITONBACKEND_InputBuffer(
    Input *input, uint32_t index, const void **buffer, uint64_t *bytes, int *memory_type, int64_t *memory_id);
extern Error *TRITONBACKEND_ResponseNew(Response **response, Request *request);
extern Error *TRITONBACKEND_ResponseOutput(
    Response *response, Output **output, const char *name, int datatype, const int64_t *shape, uint32_t dims);
extern Error *TRITONBACKEND_OutputBuffer(
    Output *output, void **buffer, uint64_t bytes, int *memory_type, int64_t *memory_id);
extern Error *TRITONBACKEND_ResponseSend(Response *response, uint32_t flags, Error *error);

#define EXPORTED __attribute__((visibility("default")))
#define MOST_DIMS 8
#define TRY(call)                        \
  do {                                   \
    Error *error_ = (call);              \
    if (error_ != NULL) return error_;   \
  } while (0)

static PyInterpreterState *interpreter;
static pthread_key_t thread_key;
static __thread PyThreadState *own_thread;

/* Each of the server's threads keeps a state of Python's for as long as it lives. */
static void take_lock(void) {
  if (own_thread == NULL) {
    own_thread = PyThreadState_New(interpreter);
    pthread_setspecific(thread_key, own_thread);
  }
  PyEval_RestoreThread(own_thread);
}

static void give_lock(void) { PyEval_SaveThread(); }

static void forget_thread(void *state) {
  PyEval_RestoreThread(state);
  PyThreadState_Clear(state);
  PyThreadState_DeleteCurrent();
}

static uint64_t now_ns(void) {
  struct timespec moment;
  clock_gettime(CLOCK_MONOTONIC, &moment);
  return (uint64_t)moment.tv_sec * 1000000000u + (uint64_t)moment.tv_nsec;
}

/* Python's exception as Triton's error, "Type: message"; clears it. */
static Error *python_error(void) {
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

EXPORTED Error *TRITONBACKEND_Initialize(Backend *backend) {
  (void)backend;
  if (interpreter != NULL) return NULL;
  /* The server opened this library, and so Python's, for itself alone; Python's own modules look for it. */
  if (dlopen(LIBPYTHON, RTLD_NOW | RTLD_GLOBAL) == NULL) return TRITONSERVER_ErrorNew(ERROR_INTERNAL, dlerror());
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0;
  config.parse_argv = 0;
  PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) {
    return TRITONSERVER_ErrorNew(ERROR_INTERNAL, status.err_msg != NULL ? status.err_msg : "no Python");
  }
  pthread_key_create(&thread_key, forget_thread);
  own_thread = PyThreadState_Get();
  interpreter = own_thread->interp;
  give_lock();
  return NULL;
}

static Error *load(Instance *instance, Model *model, const char *config, size_t size) {
  const char *name;
  uint64_t version;
  TRY(TRITONBACKEND_ModelName(model, &name));
  TRY(TRITONBACKEND_ModelVersion(model, &version));
  PyObject *host = PyImport_ImportModule("recsys.serving.embedded.host");
  if (host == NULL) return python_error();
  PyObject *loaded = PyObject_CallMethod(
      host, "load", "sKs#", name, (unsigned long long)version, config, (Py_ssize_t)size);
  Py_DECREF(host);
  if (loaded == NULL) return python_error();
  return TRITONBACKEND_ModelInstanceSetState(instance, loaded);
}

EXPORTED Error *TRITONBACKEND_ModelInstanceInitialize(Instance *instance) {
  Model *model;
  Message *message;
  const char *config;
  size_t size;
  TRY(TRITONBACKEND_ModelInstanceModel(instance, &model));
  TRY(TRITONBACKEND_ModelConfig(model, 1, &message));
  Error *error = TRITONSERVER_MessageSerializeToJson(message, &config, &size);
  if (error == NULL) {
    take_lock();
    error = load(instance, model, config, size);
    give_lock();
  }
  TRITONSERVER_MessageDelete(message);
  return error;
}

EXPORTED Error *TRITONBACKEND_ModelInstanceFinalize(Instance *instance) {
  void *state = NULL;
  TRY(TRITONBACKEND_ModelInstanceState(instance, &state));
  if (state == NULL) return NULL;
  take_lock();
  PyObject *done = PyObject_CallMethod(state, "finalize", NULL);
  Error *error = done == NULL ? python_error() : NULL;
  Py_XDECREF(done);
  Py_DECREF((PyObject *)state);
  give_lock();
  return error;
}

/* (name, data type, shape, buffer) of an input; the buffer is Triton's own where it is in one piece. */
static PyObject *input_of(Request *request, uint32_t index, Error **error) {
  Input *input;
  const char *name;
  int datatype, memory_type = MEMORY_CPU;
  const int64_t *shape;
  uint32_t dims, buffers;
  uint64_t bytes, part;
  int64_t memory_id = 0;
  const void *data = NULL;
  if ((*error = TRITONBACKEND_RequestInputByIndex(request, index, &input)) != NULL) return NULL;
  *error = TRITONBACKEND_InputProperties(input, &name, &datatype, &shape, &dims, &bytes, &buffers);
  if (*error != NULL) return NULL;
  PyObject *whole = buffers == 1 ? NULL : PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);
  uint64_t at = 0;
  for (uint32_t i = 0; i < buffers; i++) {
    *error = TRITONBACKEND_InputBuffer(input, i, &data, &part, &memory_type, &memory_id);
    if (*error == NULL && memory_type == MEMORY_GPU) {
      *error = TRITONSERVER_ErrorNew(ERROR_INVALID, "a tensor is in GPU memory. Send it in CPU memory");
    }
    if (*error != NULL) {
      Py_XDECREF(whole);
      return NULL;
    }
    if (whole != NULL) memcpy(PyBytes_AS_STRING(whole) + at, data, part);
    at += part;
  }
  PyObject *view = whole != NULL ? whole : PyMemoryView_FromMemory((char *)data, (Py_ssize_t)bytes, PyBUF_READ);
  PyObject *sizes = PyTuple_New(dims);
  for (uint32_t i = 0; i < dims; i++) PyTuple_SET_ITEM(sizes, i, PyLong_FromLongLong(shape[i]));
  return Py_BuildValue("(siNN)", name, datatype, sizes, view);
}

static PyObject *inputs_of(Request *request, Error **error) {
  uint32_t count = 0;
  if ((*error = TRITONBACKEND_RequestInputCount(request, &count)) != NULL) return NULL;
  PyObject *inputs = PyList_New(count);
  for (uint32_t i = 0; i < count; i++) {
    PyObject *input = input_of(request, i, error);
    if (input == NULL) {
      Py_DECREF(inputs);
      return NULL;
    }
    PyList_SET_ITEM(inputs, i, input);
  }
  return inputs;
}

/* One output of a response, Python's buffer held until it has been copied. */
typedef struct {
  const char *name;
  int datatype;
  int64_t shape[MOST_DIMS];
  uint32_t dims;
  Py_buffer view;
} Tensor;

/* One request's answer: an error, or tensors. */
typedef struct {
  Error *error;
  Tensor *tensors;
  Py_ssize_t count;
} Answer;

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

static void read_answer(PyObject *from, Answer *answer) {
  if (PyUnicode_Check(from)) {
    const char *words = PyUnicode_AsUTF8(from);
    answer->error = TRITONSERVER_ErrorNew(ERROR_INTERNAL, words != NULL ? words : "an error without words");
    PyErr_Clear();
    return;
  }
  Py_ssize_t count = PyList_Size(from);
  answer->tensors = count > 0 ? calloc((size_t)count, sizeof(Tensor)) : NULL;
  for (Py_ssize_t i = 0; i < count; i++) {
    if (answer->tensors == NULL || read_tensor(PyList_GET_ITEM(from, i), &answer->tensors[i]) != 0) {
      answer->error = PyErr_Occurred() ? python_error() : TRITONSERVER_ErrorNew(ERROR_INTERNAL, "no memory");
      return;
    }
    answer->count++;
  }
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

static Error *add_output(Response *response, const Tensor *tensor) {
  Output *output;
  void *buffer;
  int memory_type = MEMORY_CPU;
  int64_t memory_id = 0;
  TRY(TRITONBACKEND_ResponseOutput(
      response, &output, tensor->name, tensor->datatype, tensor->shape, tensor->dims));
  uint64_t bytes = (uint64_t)tensor->view.len;
  TRY(TRITONBACKEND_OutputBuffer(output, &buffer, bytes, &memory_type, &memory_id));
  if (memory_type == MEMORY_GPU) return TRITONSERVER_ErrorNew(ERROR_INTERNAL, "an output is wanted in GPU memory");
  memcpy(buffer, tensor->view.buf, bytes);
  return NULL;
}

static void log_and_delete(Error *error) {
  if (error == NULL) return;
  fprintf(stderr, "stages: %s\n", TRITONSERVER_ErrorMessage(error));
  TRITONSERVER_ErrorDelete(error);
}

/* Sends the answer; whether it was none but an error. Python's lock is not held. */
static bool respond(Request *request, Answer *answer) {
  Response *response;
  Error *error = TRITONBACKEND_ResponseNew(&response, request);
  if (error != NULL) {
    log_and_delete(error);
    log_and_delete(answer->error);
    return false;
  }
  error = answer->error;
  for (Py_ssize_t i = 0; error == NULL && i < answer->count; i++) {
    if (is_wanted(request, answer->tensors[i].name)) error = add_output(response, &answer->tensors[i]);
  }
  bool success = error == NULL;
  log_and_delete(TRITONBACKEND_ResponseSend(response, FINAL, error));
  if (error != NULL) TRITONSERVER_ErrorDelete(error);
  return success;
}

/* Runs the stage for all requests that could be read; fills in everybody's answer. Python's lock is held. */
static PyObject *run_stage(
    PyObject *host, Request **requests, uint32_t count, Answer *answers, uint64_t *compute_start) {
  PyObject *batch = PyList_New(0);
  for (uint32_t i = 0; i < count; i++) {
    PyObject *inputs = inputs_of(requests[i], &answers[i].error);
    if (inputs == NULL) continue;
    PyList_Append(batch, inputs);
    Py_DECREF(inputs);
  }
  *compute_start = now_ns();
  PyObject *outcomes = PyObject_CallMethod(host, "execute", "O", batch);
  Py_DECREF(batch);
  Error *failed = outcomes == NULL ? python_error() : NULL;
  Py_ssize_t next = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (answers[i].error != NULL) continue;
    if (failed != NULL) {
      answers[i].error = TRITONSERVER_ErrorNew(ERROR_INTERNAL, TRITONSERVER_ErrorMessage(failed));
    } else {
      read_answer(PyList_GET_ITEM(outcomes, next++), &answers[i]);
    }
  }
  if (failed != NULL) TRITONSERVER_ErrorDelete(failed);
  return outcomes;
}

static uint64_t rows_of(Request *request) {
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

EXPORTED Error *TRITONBACKEND_ModelInstanceExecute(Instance *instance, Request **requests, const uint32_t count) {
  uint64_t exec_start = now_ns(), compute_start, rows = 0;
  void *host = NULL;
  TRY(TRITONBACKEND_ModelInstanceState(instance, &host));
  Answer *answers = calloc(count, sizeof(Answer));
  if (answers == NULL) return TRITONSERVER_ErrorNew(ERROR_INTERNAL, "no memory");
  for (uint32_t i = 0; i < count; i++) rows += rows_of(requests[i]);

  take_lock();
  PyObject *outcomes = run_stage(host, requests, count, answers, &compute_start);
  give_lock();

  uint64_t compute_end = now_ns();
  for (uint32_t i = 0; i < count; i++) {
    bool success = respond(requests[i], &answers[i]);
    log_and_delete(TRITONBACKEND_ModelInstanceReportStatistics(
        instance, requests[i], success, exec_start, compute_start, compute_end, now_ns()));
  }
  log_and_delete(TRITONBACKEND_ModelInstanceReportBatchStatistics(
      instance, rows, exec_start, compute_start, compute_end, now_ns()));
  for (uint32_t i = 0; i < count; i++) log_and_delete(TRITONBACKEND_RequestRelease(requests[i], RELEASE_ALL));

  take_lock();
  for (uint32_t i = 0; i < count; i++) {
    for (Py_ssize_t j = 0; j < answers[i].count; j++) PyBuffer_Release(&answers[i].tensors[j].view);
    free(answers[i].tensors);
  }
  Py_XDECREF(outcomes);
  give_lock();
  free(answers);
  return NULL;
}
