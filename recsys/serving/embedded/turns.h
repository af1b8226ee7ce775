/* Whose turn it is: the models share one Python, so one of them runs at a time. */
#ifndef RECSYS_TURNS_H
#define RECSYS_TURNS_H

#include "triton.h"

#define MOST_REQUESTS 256
#define MOST_BEFORE 16

/* An instance of a model, with the requests that wait for it. */
typedef struct Stage Stage;
struct Stage {
  Instance *instance;
  void *host;               /* Python's half of it */
  char *name;
  uint64_t version;
  long order;               /* its place in the ensemble, from 0 */
  uint64_t most_rows;       /* users that it may meet at once */
  char *after[MOST_BEFORE]; /* names of the models whose outputs it reads */
  size_t after_count;

  /* The rest is of turns.c alone. */
  Stage *before[MOST_BEFORE]; /* these models, of its own version */
  bool knows_all_before;
  Request **waiting;
  size_t waiting_count, waiting_room;
  uint64_t came, answered; /* requests so far */
  uint64_t unasked;        /* of those that came, or were due, such as no other model sent on */
  bool is_running;
  Stage *next;
};

/* Nanoseconds of the monotonic clock. */
uint64_t now_ns(void);

/* From now on it gets turns. */
void add_stage(Stage *stage);

/* Waits until nobody waits for it; then it gets no turn any more. */
void remove_stage(Stage *stage);

/* Requests that are to wait for a stage's turn; they are the caller's again if there is an error. */
Error *add_requests(Stage *stage, Request **requests, uint32_t count);

/* Waits for work; fills in up to MOST_REQUESTS requests that are to be run together, and how many. */
Stage *next_turn(Request **requests, uint32_t *count);

/* The turn is over; so many requests were sent on, the others failed. */
void end_turn(Stage *stage, uint64_t answered);

#endif
