/* What is used of Triton's API (triton-inference-server/core, include/triton/core/tritonbackend.h and
 * tritonserver.h, API version 1): declared here, since the server's wheel holds no headers.
 */
#ifndef RECSYS_TRITON_H
#define RECSYS_TRITON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
extern Error *TRITONBACKEND_RequestInputName(Request *request, uint32_t index, const char **name);
extern Error *TRITONBACKEND_RequestInput(Request *request, const char *name, Input **input);
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

#define TRY(call)                        \
  do {                                   \
    Error *error_ = (call);              \
    if (error_ != NULL) return error_;   \
  } while (0)

#endif
