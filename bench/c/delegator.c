// The delegator: answers calls to <agent>.echo and <agent>.stream with what <to>.echo and
// <to>.stream reply. Either it hands each call over, or, to be held against that, it reads the
// replies and writes them again.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "load.h"

enum { calls_in_flight = 1 << 16 };  // as many as a connection may have ids open

typedef struct {
  Connection connection;
  uint64_t last_id;
  uint64_t outer[calls_in_flight];  // of the calls made, by their number
  uint64_t inner[calls_in_flight];  // of the calls handled, likewise
  const char *to;
  bool copies, done;
} Delegator;

static Delegator delegator;

static uint64_t *outer_of(uint64_t id) { return &delegator.outer[(id >> 1) % calls_in_flight]; }

static uint64_t *inner_of(uint64_t id) { return &delegator.inner[(id >> 1) % calls_in_flight]; }

static void delegate(const Frame *call) {
  char rest[512];
  uint64_t id = delegator.last_id += 2;
  const char *leaf = frame_says(call, ".stream\"") ? "stream" : "echo";
  int count = snprintf(
    rest, sizeof rest, ",\"to\":\"%s.%s\",\"parent\":%llu%s", delegator.to, leaf,
    (unsigned long long)call->id, delegator.copies ? "" : ",\"window\":0");
  connection_put(
    &delegator.connection, "call", id, rest, (size_t)count, call->content, call->content_count);
  if (delegator.copies) {
    *outer_of(id) = call->id;
    *inner_of(call->id) = id;
    return;
  }
  count = snprintf(rest, sizeof rest, ",\"call\":%llu,\"end\":true", (unsigned long long)id);
  connection_put(&delegator.connection, "splice", call->id, rest, (size_t)count, NULL, 0);
}

// What follows the id in a header is the same for the other end. So is what the caller permits:
// both windows are the protocol's own.
static void copy(const Frame *frame, const char *op, uint64_t to) {
  const char *id = memmem(frame->header, frame->header_count, "\"id\":", 5);
  const char *end = frame->header + frame->header_count - 1;
  if (!id) return;
  for (id += 5; id < end && *id >= '0' && *id <= '9';) id++;
  connection_put(
    &delegator.connection, op, to, id, (size_t)(end - id), frame->content, frame->content_count);
}

static void did_receive(const Frame *frame) {
  bool is_own = frame->id & 1;
  switch (frame->op) {
  case op_call:
    delegate(frame);
    break;
  case op_data:
    if (is_own) copy(frame, "data", *outer_of(frame->id));
    break;
  case op_error:
    if (!is_own || !delegator.copies)
      fail("delegator: %.*s", (int)frame->header_count, frame->header);
    copy(frame, "error", *outer_of(frame->id));
    break;
  case op_credit:
    if (!is_own && delegator.copies) copy(frame, "credit", *inner_of(frame->id));
    break;
  case op_goodbye:
    delegator.done = true;
    break;
  default:
    break;
  }
}

static void register_agent(const char *agent, const char *leaf) {
  char rest[512];
  uint64_t id = delegator.last_id += delegator.last_id ? 2 : 1;
  int count = snprintf(
    rest, sizeof rest, ",\"name\":\"%s.%s\",\"concurrency\":100000", agent, leaf);
  connection_put(&delegator.connection, "register", id, rest, (size_t)count, NULL, 0);
  Frame frame = connection_await(&delegator.connection);
  if (frame.op != op_ok) fail("register: %.*s", (int)frame.header_count, frame.header);
}

int run_delegator(const Options *options) {
  delegator.to = options->to ? options->to : "bench";
  delegator.copies = options->copies;
  connection_open(&delegator.connection, &options->peer, role_host);
  register_agent(options->agent, "echo");
  register_agent(options->agent, "stream");
  puts("ready");
  fflush(stdout);
  while (!delegator.done) {
    Frame frame;
    while (connection_next(&delegator.connection, &frame)) did_receive(&frame);
    if (!connection_turn(&delegator.connection, wait_for_bytes)) break;
  }
  return 0;
}
