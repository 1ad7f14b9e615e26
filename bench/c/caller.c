// The caller: keeps `depth` calls in flight, checks what comes back, and prints one line of JSON.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "latency.h"
#include "load.h"

enum {
  frame_cost = 256,
  window_default = 1024 * 1024,
  slots = 65536,  // by id / 2: more than may ever be in flight
};

typedef struct {
  uint64_t id, began_ns, consumed, parts;
} Call;

typedef struct {
  const Options *options;
  Connection connection;
  Call calls[slots];
  uint8_t *content;
  size_t content_count;
  char rest[1024];     // the header's fields after `id`
  size_t rest_count;
  uint64_t next_id, next_session, next_name;
  uint64_t open, begun;
  uint64_t window;
  bool paused;
  // Counted from the end of the warm-up to the last reply in time:
  uint64_t from_ns, until_ns, last_ns;
  uint64_t done, parts, bytes, errors;
  Latencies latencies;
} Caller;

static void write_rest(Caller *caller, uint64_t session, uint64_t name) {
  const Options *options = caller->options;
  char to[600], window[40] = "";
  const char *leaf = options->parts ? ".stream" : ".echo";
  int count = options->to
    ? snprintf(to, sizeof to, "%s", options->to)
    : snprintf(to, sizeof to, "%s%s", options->agent, leaf);
  if (count < 0 || count > 500) fail("address too long");
  if (options->names)
    count += snprintf(
      to + count, sizeof to - (size_t)count, ".n%llu", (unsigned long long)name);
  if (options->sessions)
    snprintf(to + count, sizeof to - (size_t)count, ":s%llu", (unsigned long long)session);
  if (options->window)
    snprintf(window, sizeof window, ",\"window\":%llu", (unsigned long long)options->window);
  count = snprintf(
    caller->rest, sizeof caller->rest, ",\"to\":\"%s\",\"type\":\"%s\",\"timeout_ms\":%llu%s", to,
    options->type, (unsigned long long)options->timeout_ms, window);
  caller->rest_count = (size_t)count;
}

static void write_content(Caller *caller) {
  const Options *options = caller->options;
  if (options->content) {
    caller->content = (uint8_t *)strdup(options->content);
    caller->content_count = strlen(options->content);
  } else if (options->parts) {
    caller->content = malloc(64);
    caller->content_count = (size_t)snprintf(
      (char *)caller->content, 64, "%llu %llu", (unsigned long long)options->parts,
      (unsigned long long)options->part_size);
  } else {
    caller->content_count = options->size;
    caller->content = malloc(options->size + 1);
    for (size_t i = 0; i < options->size; i++) caller->content[i] = (uint8_t)('a' + i % 26);
    if (options->size >= 2) caller->content[0] = caller->content[options->size - 1] = '"';
  }
}

static void begin_call(Caller *caller, uint64_t now) {
  const Options *options = caller->options;
  if (options->sessions || options->names) {
    write_rest(caller, caller->next_session, caller->next_name);
    if (options->sessions) caller->next_session = (caller->next_session + 1) % options->sessions;
    if (options->names) caller->next_name = (caller->next_name + 1) % options->names;
  }
  uint64_t id = caller->next_id;
  caller->next_id += 2;
  caller->calls[id / 2 % slots] = (Call){.id = id, .began_ns = now};
  caller->open++;
  caller->begun++;
  connection_put(
    &caller->connection, "call", id, caller->rest, caller->rest_count, caller->content,
    caller->content_count);
}

static bool came_back(const Caller *caller, const Frame *frame) {
  if (caller->options->content) return frame->content_count > 0;
  if (caller->options->parts) return true;  // the parts were counted
  size_t count = caller->content_count, edge = count < 32 ? count : 32;
  if (frame->content_count != count) return false;
  if (count == 0) return true;
  return memcmp(frame->content, caller->content, edge) == 0
    && memcmp(frame->content + count - edge, caller->content + count - edge, edge) == 0;
}

// Grants in halves of the window, so that the host never waits for it.
static void consume(Caller *caller, Call *call, uint64_t cost) {
  call->consumed += cost;
  if (call->consumed < caller->window / 2) return;
  char rest[40];
  int count = snprintf(rest, sizeof rest, ",\"bytes\":%llu", (unsigned long long)call->consumed);
  connection_put(&caller->connection, "credit", call->id, rest, (size_t)count, NULL, 0);
  call->consumed = 0;
}

static void did_fail(Caller *caller, const Frame *frame) {
  if (caller->errors++ == 0)
    fprintf(stderr, "load: caller: %.*s\n", (int)frame->header_count, frame->header);
  if (frame->id == 0) fail("the connection failed");
}

static void did_end(Caller *caller, Call *call, uint64_t now, bool good) {
  call->id = 0;
  caller->open--;
  if (!good || now < caller->from_ns || now > caller->until_ns) return;
  caller->done++;
  caller->last_ns = now;
  latency_add(&caller->latencies, now - call->began_ns);
}

static void did_receive(Caller *caller, const Frame *frame) {
  if (frame->op == op_ping) {
    static const uint8_t pong[] = "\0\0\0\x0d\0\0\0\0{\"op\":\"pong\"}";
    memcpy(buffer_reserve(&caller->connection.out, sizeof pong - 1), pong, sizeof pong - 1);
    caller->connection.out.end += sizeof pong - 1;
    return;
  }
  if (frame->op != op_data && frame->op != op_error) return;
  Call *call = &caller->calls[frame->id / 2 % slots];
  if (frame->op == op_error && (frame->id == 0 || call->id == frame->id)) {
    did_fail(caller, frame);
    did_end(caller, call, clock_ns(), false);
    return;
  }
  if (call->id != frame->id) fail("a frame for the call %llu", (unsigned long long)frame->id);
  uint64_t now = clock_ns();
  if (now >= caller->from_ns && now <= caller->until_ns) {
    caller->bytes += frame->content_count;
    if (caller->options->parts) {
      caller->parts++;
      caller->last_ns = now;
    }
  }
  call->parts++;
  if (!frame_says(frame, "\"end\":true")) {
    consume(caller, call, frame->content_count + frame_cost);
    return;
  }
  bool good = came_back(caller, frame)
    && (!caller->options->parts || call->parts == caller->options->parts);
  if (!good && caller->errors++ == 0)
    fputs("load: caller: another content came back\n", stderr);
  did_end(caller, call, now, good);
}

static void print_result(Caller *caller) {
  bool any = caller->last_ns > caller->from_ns;
  double seconds = any ? (double)(caller->last_ns - caller->from_ns) / 1e9 : 0;
  double per_second = seconds > 0 ? 1 / seconds : 0;
  latency_sort(&caller->latencies);
  printf(
    "{\"begun\":%llu,\"calls\":%llu,\"seconds\":%.3f,\"calls_per_s\":%.1f,\"p50_us\":%.1f,"
    "\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"parts\":%llu,\"parts_per_s\":%.1f,"
    "\"bytes_per_s\":%.0f,\"errors\":%llu}\n",
    (unsigned long long)caller->begun, (unsigned long long)caller->done, seconds,
    (double)caller->done * per_second,
    latency_us(&caller->latencies, 50), latency_us(&caller->latencies, 90),
    latency_us(&caller->latencies, 99), latency_us(&caller->latencies, 100),
    (unsigned long long)caller->parts, (double)caller->parts * per_second,
    (double)caller->bytes * per_second, (unsigned long long)caller->errors);
}

// A call may be begun before the time is up, or while there are some left to make.
static bool may_begin(const Caller *caller, uint64_t now) {
  if (caller->options->calls) return caller->begun < caller->options->calls;
  return now < caller->until_ns;
}

// The slow reader: asks, then reads nothing for a while.
static void pause_once(Caller *caller) {
  uint64_t ms = caller->options->pause_ms;
  struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
  caller->paused = true;
  connection_turn(&caller->connection, only_what_is_there);
  nanosleep(&pause, NULL);
}

int run_caller(const Options *options) {
  if (options->depth == 0 || options->depth > slots / 4) fail("depth: 1 to %d", slots / 4);
  Caller *caller = calloc(1, sizeof *caller);
  if (!caller) fail("out of memory");
  caller->options = options;
  caller->next_id = 1;
  caller->window = options->window ? options->window : window_default;
  write_rest(caller, 0, 0);
  write_content(caller);
  connection_open(&caller->connection, &options->peer, role_caller);
  uint64_t now = clock_ns();
  caller->from_ns = now;
  caller->until_ns = UINT64_MAX;
  if (!options->calls) {
    caller->from_ns += (uint64_t)(options->warmup_seconds * 1e9);
    caller->until_ns = caller->from_ns + (uint64_t)(options->seconds * 1e9);
  }
  for (;;) {
    now = clock_ns();
    while (caller->open < options->depth && may_begin(caller, now)) begin_call(caller, now);
    if (caller->open == 0) break;
    if (options->pause_ms && !caller->paused) pause_once(caller);
    if (!connection_turn(&caller->connection, wait_for_bytes))
      fail("caller: the connection was closed");
    Frame frame;
    while (connection_next(&caller->connection, &frame)) did_receive(caller, &frame);
  }
  print_result(caller);
  return caller->errors ? 1 : 0;
}
