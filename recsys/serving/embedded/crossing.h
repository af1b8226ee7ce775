/* Requests as Python sees them, and Python's answers as responses. */
#ifndef RECSYS_CROSSING_H
#define RECSYS_CROSSING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "triton.h"

#define MOST_DIMS 8

/* One output of a stage for all that it met, Python's buffer held until it has been copied. */
typedef struct {
  const char *name;
  int datatype;
  int64_t shape[MOST_DIMS];
  uint32_t dims;
  Py_buffer view;
} Tensor;

/* What a stage made for requests together, one below the other; `owner` holds the names. */
typedef struct {
  Tensor *tensors;
  Py_ssize_t count;
  PyObject *owner;
} Made;

/* One request's answer: an error, or some rows of what was made. */
typedef struct {
  Error *error;
  const Made *made;
  uint64_t first, rows;
} Answer;

/* Python's exception as Triton's error, "Type: message"; clears it. */
Error *python_error(void);

void log_and_delete(Error *error);

/* Whether two requests give the same inputs: which ones they leave out may differ. */
bool same_inputs(Request *one, Request *other);

/* The inputs of requests that give the same, one below the other: a list of (name, data type, shape, bytes); NULL
 * with an error. Python's lock is held. */
PyObject *stacked_inputs(Request **requests, uint32_t count, Error **error);

/* Takes a list of (name, data type, shape, buffer), which is Python's answer for requests of so many rows together;
 * 0 or -1 with Python's exception. Python's lock is held. */
int read_made(PyObject *from, uint64_t rows, Made *made);

/* Lets go of Python's buffers. Python's lock is held. */
void forget_made(Made *made);

/* Sends an answer; whether it was none but an error. Python's lock is not held. */
bool respond(Request *request, Answer *answer);

/* Users in a request: the first dimension of its inputs. */
uint64_t rows_of(Request *request);

#endif
