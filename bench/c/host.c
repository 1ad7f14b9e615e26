// The host: echoes calls to <agent>.echo, and streams parts, within windows, for calls to
// <agent>.stream.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum {
  frame_cost = 256,                 // what a frame costs in a window beside its content
  window_default = 1024 * 1024,
  unsent_bytes_max = 256 * 1024,    // produced ahead of the socket
  parts_per_stream_and_round = 64,  // then the next stream: they advance together
};

typedef struct {
  uint64_t id;
  uint64_t left;  // parts still to send
  uint64_t size;
  int64_t window;
} Stream;

typedef struct {
  Connection connection;
  Stream *streams;
  size_t count, room;
  char *part;  // bytes to send as parts
  size_t part_room;
  bool done;
} Host;

static const char ends[] = ",\"end\":true", goes_on[] = ",\"part\":true";

static void reply_end(Host *host, uint64_t id, const void *content, size_t count) {
  connection_put(&host->connection, "data", id, ends, sizeof ends - 1, content, count);
}

// The content of a streamed call is text: "<parts> <bytes of each>".
static void begin_stream(Host *host, const Frame *call) {
  char text[64] = {0};
  unsigned long long parts = 0, size = 0;
  memcpy(text, call->content, call->content_count < 63 ? call->content_count : 63);
  if (sscanf(text, "%llu %llu", &parts, &size) != 2 || parts == 0) {
    static const char bad[] = ",\"code\":\"invalid_argument\",\"message\":\"want: parts size\"";
    connection_put(&host->connection, "error", call->id, bad, sizeof bad - 1, NULL, 0);
    return;
  }
  if (size > host->part_room) {
    host->part = realloc(host->part, size);
    if (!host->part) fail("out of memory");
    memset(host->part, 'x', size);
    host->part_room = size;
  }
  if (host->count == host->room) {
    host->room = host->room ? host->room * 2 : 64;
    host->streams = realloc(host->streams, host->room * sizeof *host->streams);
    if (!host->streams) fail("out of memory");
  }
  host->streams[host->count++] = (Stream){
    .id = call->id, .left = parts, .size = size,
    .window = (int64_t)frame_integer(call, "\"window\":", window_default),
  };
}

static Stream *find_stream(Host *host, uint64_t id) {
  for (size_t i = 0; i < host->count; i++)
    if (host->streams[i].id == id) return &host->streams[i];
  return NULL;
}

static void remove_stream(Host *host, Stream *stream) { *stream = host->streams[--host->count]; }

static size_t unsent(const Host *host) {
  return host->connection.out.end - host->connection.out.start;
}

// Adds parts round by round while the socket keeps up. True when some stream could go on.
static bool produce(Host *host) {
  bool more = true;
  while (more && unsent(host) < unsent_bytes_max) {
    more = false;
    for (size_t i = 0; i < host->count;) {
      Stream *stream = &host->streams[i];
      int round_left = parts_per_stream_and_round;
      while (round_left-- > 0 && stream->left > 1 && stream->window > 0) {
        connection_put(
          &host->connection, "data", stream->id, goes_on, sizeof goes_on - 1, host->part,
          stream->size);
        stream->window -= (int64_t)stream->size + frame_cost;
        stream->left--;
      }
      if (stream->left == 1 && stream->window > 0) {
        reply_end(host, stream->id, host->part, stream->size);
        remove_stream(host, stream);
        continue;
      }
      if (stream->left > 0 && stream->window > 0) more = true;
      i++;
    }
  }
  return more;
}

static void did_receive(Host *host, const Frame *frame) {
  Connection *connection = &host->connection;
  Stream *stream;
  switch (frame->op) {
  case op_call:
    if (frame_says(frame, ".stream\"")) {
      begin_stream(host, frame);
    } else {
      reply_end(host, frame->id, frame->content, frame->content_count);
    }
    break;
  case op_credit:
    stream = find_stream(host, frame->id);
    if (stream) stream->window += (int64_t)frame_integer(frame, "\"bytes\":", 0);
    break;
  case op_cancel: {
    static const char cancelled[] = ",\"code\":\"cancelled\",\"message\":\"cancelled\"";
    stream = find_stream(host, frame->id);
    if (!stream) break;  // it crossed the end
    remove_stream(host, stream);
    connection_put(connection, "error", frame->id, cancelled, sizeof cancelled - 1, NULL, 0);
    break;
  }
  case op_close:
    connection_put(connection, "ok", frame->id, "", 0, NULL, 0);
    break;
  case op_ping: {
    static const uint8_t pong[] = "\0\0\0\x0d\0\0\0\0{\"op\":\"pong\"}";
    memcpy(buffer_reserve(&connection->out, sizeof pong - 1), pong, sizeof pong - 1);
    connection->out.end += sizeof pong - 1;
    break;
  }
  case op_error:
    fail("host: %.*s", (int)frame->header_count, frame->header);
  case op_goodbye:
    host->done = true;
    break;
  default:
    break;
  }
}

static void register_agent(
  Connection *connection, uint64_t id, const char *agent, const char *leaf
) {
  char rest[512];
  int count = snprintf(
    rest, sizeof rest, ",\"name\":\"%s.%s\",\"description\":\"load\",\"concurrency\":100000", agent,
    leaf);
  connection_put(connection, "register", id, rest, (size_t)count, NULL, 0);
  Frame frame = connection_await(connection);
  if (frame.op != op_ok) fail("register: %.*s", (int)frame.header_count, frame.header);
}

int run_host(const Options *options) {
  Host host = {0};
  connection_open(&host.connection, &options->peer, role_host);
  if (options->peer.pair < 0) {
    register_agent(&host.connection, 1, options->agent, "echo");
    register_agent(&host.connection, 3, options->agent, "stream");
    for (uint64_t n = 0; n < options->names; n++) {
      char leaf[40];
      snprintf(leaf, sizeof leaf, "echo.n%llu", (unsigned long long)n);
      register_agent(&host.connection, 5 + 2 * n, options->agent, leaf);
    }
    puts("ready");
    fflush(stdout);
  }
  while (!host.done) {
    Frame frame;
    while (connection_next(&host.connection, &frame)) did_receive(&host, &frame);
    Patience patience = produce(&host) ? only_what_is_there : wait_for_bytes;
    if (!connection_turn(&host.connection, patience)) break;
  }
  return 0;
}
