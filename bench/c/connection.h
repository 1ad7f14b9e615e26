// One blocking socket that speaks the coagent protocol, for the load generator.
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t *bytes;
  size_t start, end, room;  // bytes[start..<end] is in use
} Buffer;

/// Bytes for `count` more at the end; their use is made known by adding to `end`.
uint8_t *buffer_reserve(Buffer *buffer, size_t count);

typedef struct {
  int fd;
  Buffer in, out;
} Connection;

typedef enum {
  op_unknown, op_welcome, op_ping, op_goodbye, op_ok, op_call, op_data, op_error, op_cancel,
  op_credit, op_close,
} Op;

/// A frame as it lies in the connection's buffer; valid until the next receive.
typedef struct {
  Op op;
  uint64_t id;  // 0 when absent
  const char *header;
  uint32_t header_count;
  const uint8_t *content;
  uint32_t content_count;
} Frame;

/// Where to connect, and as what.
typedef struct {
  const char *url;    // unix:/path or tcp://host:port
  const char *token;  // for tcp; NULL for none
  int pair;           // -1: a sidecar. Else the raw relay's pair: no hello, no register
} Peer;

typedef enum { role_caller = 0, role_host = 1 } Role;

/// Connects and says hello (or takes its place at the relay). Exits with a message on failure.
void connection_open(Connection *connection, const Peer *peer, Role role);

/// The next complete frame received, or false: receive more.
bool connection_next(Connection *connection, Frame *frame);

typedef enum { wait_for_bytes, only_what_is_there } Patience;

/// Sends what waits, then receives. It never waits for a write without reading.
/// False when the other end closed. Both may receive nothing when not all was sent;
/// `only_what_is_there` also when there is nothing.
bool connection_turn(Connection *connection, Patience patience);

/// Waits for the next frame; exits when the other end closed.
Frame connection_await(Connection *connection);

/// Appends a frame: `{"op":"<op>","id":<id><rest>}` and its content. `rest` starts with a comma
/// or is empty.
void connection_put(
  Connection *connection, const char *op, uint64_t id, const char *rest, size_t rest_count,
  const void *content, size_t content_count);

/// An unsigned integer field of a header, or `absent`. `key` is spelled `"window":`.
uint64_t frame_integer(const Frame *frame, const char *key, uint64_t absent);

/// Whether the header contains the text, such as `"end":true`.
bool frame_says(const Frame *frame, const char *text);

uint64_t clock_ns(void);

/// Prints to stderr and exits with status 1.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
