/* A Triton backend that runs the models' stages on a Python embedded in the server's process.
 *
 * Python's part is recsys.serving.embedded.host. One thread runs all stages, as turns.c says; the server's own only
 * leave their requests there. Python's lock is held while a stage runs and while its tensors are handed over, not
 * while responses are sent: sending one starts the ensemble's next step.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "crossing.h"
#include "turns.h"

enum { MOST_HEAPS = 2 };

#define EXPORTED __attribute__((visibility("default")))

static PyInterpreterState *interpreter;
static pthread_key_t thread_key;
static __thread PyThreadState *own_thread;
static void *take_turns(void *unused);

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

EXPORTED Error *TRITONBACKEND_Initialize(Backend *backend) {
  (void)backend;
  if (interpreter != NULL) return NULL;
  /* Releases come and go on threads of their own: with a heap for each what is freed would stay in pieces. */
  mallopt(M_ARENA_MAX, MOST_HEAPS);
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
  pthread_t runner;
  if (pthread_create(&runner, NULL, take_turns, NULL) != 0) return TRITONSERVER_ErrorNew(ERROR_INTERNAL, "no thread");
  pthread_detach(runner);
  return NULL;
}

static void free_stage(Stage *stage) {
  Py_XDECREF((PyObject *)stage->host);
  for (size_t i = 0; i < stage->after_count; i++) free(stage->after[i]);
  free(stage->name);
  free(stage);
}

/* What Python's half of a model says of its place in the ensemble. */
static int read_place(Stage *stage) {
  PyObject *place = PyObject_CallMethod(stage->host, "place", NULL), *after = NULL;
  int read = place != NULL && PyArg_ParseTuple(place, "lKO!", &stage->order, &stage->most_rows, &PyTuple_Type, &after);
  for (Py_ssize_t i = 0; read && i < PyTuple_GET_SIZE(after) && i < MOST_BEFORE; i++) {
    const char *name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(after, i));
    read = name != NULL;
    if (read) stage->after[stage->after_count++] = strdup(name);
  }
  Py_XDECREF(place);
  return read ? 0 : -1;
}

static Error *load(Instance *instance, Model *model, const char *config, size_t size) {
  const char *name;
  uint64_t version;
  TRY(TRITONBACKEND_ModelName(model, &name));
  TRY(TRITONBACKEND_ModelVersion(model, &version));
  PyObject *host = PyImport_ImportModule("recsys.serving.embedded.host");
  if (host == NULL) return python_error();
  Stage *stage = calloc(1, sizeof(Stage));
  if (stage == NULL) return TRITONSERVER_ErrorNew(ERROR_INTERNAL, "no memory");
  stage->instance = instance;
  stage->name = strdup(name);
  stage->version = version;
  stage->host = PyObject_CallMethod(
      host, "load", "sKs#", name, (unsigned long long)version, config, (Py_ssize_t)size);
  Py_DECREF(host);
  if (stage->host == NULL || read_place(stage) != 0) {
    Error *error = python_error();
    free_stage(stage);
    return error;
  }
  add_stage(stage);
  return TRITONBACKEND_ModelInstanceSetState(instance, stage);
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
  Stage *stage = state;
  remove_stage(stage);
  take_lock();
  PyObject *done = PyObject_CallMethod(stage->host, "finalize", NULL);
  Error *error = done == NULL ? python_error() : NULL;
  Py_XDECREF(done);
  free_stage(stage);
  give_lock();
  malloc_trim(0); /* a release was tens of megabytes in small pieces */
  return error;
}

/* Called by one of the server's threads, which is free again at once: the requests are answered later. */
EXPORTED Error *TRITONBACKEND_ModelInstanceExecute(Instance *instance, Request **requests, const uint32_t count) {
  void *stage = NULL;
  TRY(TRITONBACKEND_ModelInstanceState(instance, &stage));
  return add_requests(stage, requests, count);
}

/* What came of requests that were run together. */
typedef struct {
  Answer answers[MOST_REQUESTS];
  Made made[MOST_REQUESTS];
  uint32_t made_count;
} Outcome;

/* The same error for each of some requests; deletes it. */
static void fail(Error *error, Answer *answers, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    answers[i].error = TRITONSERVER_ErrorNew(ERROR_INTERNAL, TRITONSERVER_ErrorMessage(error));
  }
  TRITONSERVER_ErrorDelete(error);
}

/* What Python made of `count` requests: a text that says why there is nothing, or tensors. */
static void read_outcome(PyObject *from, Request **requests, Answer *answers, uint32_t count, Outcome *outcome) {
  if (PyUnicode_Check(from)) {
    const char *words = PyUnicode_AsUTF8(from);
    fail(TRITONSERVER_ErrorNew(ERROR_INTERNAL, words != NULL ? words : "an error without words"), answers, count);
    PyErr_Clear();
    return;
  }
  Made *made = &outcome->made[outcome->made_count++];
  uint64_t rows = 0;
  for (uint32_t i = 0; i < count; i++) {
    answers[i] = (Answer){.made = made, .first = rows, .rows = rows_of(requests[i])};
    rows += answers[i].rows;
  }
  if (read_made(from, rows, made) != 0) fail(python_error(), answers, count);
}

/* Runs the stage for requests that give the same inputs. Python's lock is held. */
static void run_together(PyObject *host, Request **requests, Answer *answers, uint32_t count, Outcome *outcome) {
  Error *error = NULL;
  PyObject *inputs = stacked_inputs(requests, count, &error);
  if (inputs == NULL) {
    fail(error, answers, count);
    return;
  }
  PyObject *rows = PyTuple_New(count);
  for (uint32_t i = 0; i < count; i++) PyTuple_SET_ITEM(rows, i, PyLong_FromUnsignedLongLong(rows_of(requests[i])));
  PyObject *outcomes = PyObject_CallMethod(host, "answer", "NN", rows, inputs);
  uint32_t at = 0;
  for (Py_ssize_t i = 0; outcomes != NULL && i < PyList_Size(outcomes); i++) {
    unsigned int some = 0;
    PyObject *made = NULL;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(outcomes, i), "IO", &some, &made) || some == 0 || some > count - at) break;
    read_outcome(made, requests + at, answers + at, some, outcome);
    at += some;
  }
  if (at < count) {
    error = PyErr_Occurred() ? python_error() : TRITONSERVER_ErrorNew(ERROR_INTERNAL, "a request was not answered");
    fail(error, answers + at, count - at);
  }
  Py_XDECREF(outcomes);
}

/* Runs a stage and sends its responses; how many of them are no errors. */
static uint64_t execute(Stage *stage, Request **requests, uint32_t count) {
  static Outcome outcome; /* of the one thread that runs stages */
  uint64_t exec_start = now_ns(), rows = 0, answered = 0;
  memset(outcome.answers, 0, count * sizeof(Answer));
  memset(outcome.made, 0, count * sizeof(Made));
  outcome.made_count = 0;
  for (uint32_t i = 0; i < count; i++) rows += rows_of(requests[i]);

  take_lock();
  uint64_t compute_start = now_ns();
  for (uint32_t begin = 0, end; begin < count; begin = end) {
    for (end = begin + 1; end < count && same_inputs(requests[begin], requests[end]);) end++;
    run_together(stage->host, requests + begin, outcome.answers + begin, end - begin, &outcome);
  }
  give_lock();

  uint64_t compute_end = now_ns();
  for (uint32_t i = 0; i < count; i++) {
    bool success = respond(requests[i], &outcome.answers[i]);
    answered += success;
    log_and_delete(TRITONBACKEND_ModelInstanceReportStatistics(
        stage->instance, requests[i], success, exec_start, compute_start, compute_end, now_ns()));
  }
  log_and_delete(TRITONBACKEND_ModelInstanceReportBatchStatistics(
      stage->instance, rows, exec_start, compute_start, compute_end, now_ns()));
  for (uint32_t i = 0; i < count; i++) log_and_delete(TRITONBACKEND_RequestRelease(requests[i], RELEASE_ALL));

  take_lock();
  for (uint32_t i = 0; i < outcome.made_count; i++) forget_made(&outcome.made[i]);
  give_lock();
  return answered;
}

static void *take_turns(void *unused) {
  static Request *requests[MOST_REQUESTS];
  for (;;) {
    uint32_t count;
    Stage *stage = next_turn(requests, &count);
    end_turn(stage, execute(stage, requests, count));
  }
  return unused;
}
