/* See turns.h. The last model for which requests wait has the turn: what is under way is finished while those
 * who come after gather at the door. Requests that a model has answered take a moment to reach the next one,
 * by way of the server's threads, one after the other. They are waited for: otherwise the first of them would go
 * on alone, and who met once would never meet again.
 */
#define _GNU_SOURCE
#include "turns.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crossing.h"

/* What requests take to the next model is a tenth of this; who has not come by then was never sent. */
enum { PATIENCE_NS = 500000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_came = PTHREAD_COND_INITIALIZER, work_ended = PTHREAD_COND_INITIALIZER;
static Stage *stages; /* the last model first */
static bool is_asleep;

uint64_t now_ns(void) {
  struct timespec moment;
  clock_gettime(CLOCK_MONOTONIC, &moment);
  return (uint64_t)moment.tv_sec * 1000000000u + (uint64_t)moment.tv_nsec;
}

static Stage *find(const char *name, uint64_t version) {
  Stage *stage = stages;
  while (stage != NULL && (stage->version != version || strcmp(stage->name, name) != 0)) stage = stage->next;
  return stage;
}

/* A model that is not of this backend, or not loaded yet, is not waited for. */
static void link_stages(void) {
  for (Stage *stage = stages; stage != NULL; stage = stage->next) {
    stage->knows_all_before = stage->after_count > 0;
    for (size_t i = 0; i < stage->after_count; i++) {
      stage->before[i] = find(stage->after[i], stage->version);
      if (stage->before[i] == NULL) stage->knows_all_before = false;
    }
  }
}

void add_stage(Stage *stage) {
  pthread_mutex_lock(&lock);
  Stage **place = &stages;
  while (*place != NULL && (*place)->order > stage->order) place = &(*place)->next;
  stage->next = *place;
  *place = stage;
  link_stages();
  pthread_mutex_unlock(&lock);
}

void remove_stage(Stage *stage) {
  pthread_mutex_lock(&lock);
  while (stage->waiting_count > 0 || stage->is_running) pthread_cond_wait(&work_ended, &lock);
  Stage **place = &stages;
  while (*place != stage) place = &(*place)->next;
  *place = stage->next;
  link_stages();
  pthread_mutex_unlock(&lock);
  free(stage->waiting);
}

Error *add_requests(Stage *stage, Request **requests, uint32_t count) {
  pthread_mutex_lock(&lock);
  if (stage->waiting_count + count > stage->waiting_room) {
    size_t room = 2 * (stage->waiting_count + count);
    Request **waiting = realloc(stage->waiting, room * sizeof(Request *));
    if (waiting == NULL) {
      pthread_mutex_unlock(&lock);
      return TRITONSERVER_ErrorNew(ERROR_INTERNAL, "no memory");
    }
    stage->waiting = waiting;
    stage->waiting_room = room;
  }
  memcpy(stage->waiting + stage->waiting_count, requests, count * sizeof(Request *));
  stage->waiting_count += count;
  stage->came += count;
  bool wake = is_asleep;
  is_asleep = false;
  pthread_mutex_unlock(&lock);
  if (wake) pthread_cond_signal(&work_came);
  return NULL;
}

/* How many requests have been sent on to a stage and not come yet, as far as can be told from counts: each comes
 * once all models before have answered it. Counts drift when a request comes by another way than the ensemble, or
 * ends between two models; `patient` says that this need not be assumed yet.
 */
static uint64_t on_the_way(Stage *stage, bool patient) {
  if (!stage->knows_all_before) return 0;
  uint64_t sent = UINT64_MAX;
  for (size_t i = 0; i < stage->after_count; i++) {
    if (stage->before[i]->answered < sent) sent = stage->before[i]->answered;
  }
  int64_t missing = (int64_t)(sent - stage->came - stage->unasked);
  if (missing > 0 && patient) return (uint64_t)missing;
  stage->unasked += (uint64_t)missing;
  return 0;
}

/* Who is to run now; NULL if nobody, and then whether anybody is on the way. */
static Stage *most_urgent(bool patient, bool *is_coming) {
  for (Stage *stage = stages; stage != NULL; stage = stage->next) {
    *is_coming = on_the_way(stage, patient) > 0;
    if (*is_coming) return NULL;
    if (stage->waiting_count > 0) return stage;
  }
  return NULL;
}

static Stage *wait_for_work(void) {
  uint64_t patient_until = now_ns() + PATIENCE_NS;
  for (;;) {
    bool is_coming = false;
    Stage *stage = most_urgent(now_ns() < patient_until, &is_coming);
    if (stage != NULL) return stage;
    if (is_coming) { /* sleeping and being woken would take longer */
      pthread_mutex_unlock(&lock);
      sched_yield();
      pthread_mutex_lock(&lock);
      continue;
    }
    is_asleep = true;
    while (is_asleep) pthread_cond_wait(&work_came, &lock);
    patient_until = now_ns() + PATIENCE_NS;
  }
}

Stage *next_turn(Request **requests, uint32_t *count) {
  pthread_mutex_lock(&lock);
  Stage *stage = wait_for_work();
  uint64_t rows = 0;
  for (*count = 0; *count < stage->waiting_count && *count < MOST_REQUESTS; (*count)++) {
    rows += rows_of(stage->waiting[*count]);
    if (*count > 0 && rows > stage->most_rows) break;
    requests[*count] = stage->waiting[*count];
  }
  stage->waiting_count -= *count;
  memmove(stage->waiting, stage->waiting + *count, stage->waiting_count * sizeof(Request *));
  stage->is_running = true;
  pthread_mutex_unlock(&lock);
  return stage;
}

void end_turn(Stage *stage, uint64_t answered) {
  pthread_mutex_lock(&lock);
  stage->answered += answered;
  stage->is_running = false;
  pthread_cond_broadcast(&work_ended);
  pthread_mutex_unlock(&lock);
}
