#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { receive_bytes = 256 * 1024 };

_Noreturn void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint8_t *buffer_reserve(Buffer *buffer, size_t count) {
  if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
  if (buffer->room - buffer->end >= count) return buffer->bytes + buffer->end;
  size_t used = buffer->end - buffer->start;
  if (buffer->start > 0) {
    memmove(buffer->bytes, buffer->bytes + buffer->start, used);
    buffer->start = 0;
    buffer->end = used;
  }
  if (buffer->room - used < count) {
    buffer->room = (used + count) * 2;
    buffer->bytes = realloc(buffer->bytes, buffer->room);
    if (!buffer->bytes) fail("out of memory");
  }
  return buffer->bytes + buffer->end;
}

static int connect_unix(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) fail("socket path too long: %s", path);
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    fail("connect %s: %s", path, strerror(errno));
  return fd;
}

static int connect_tcp(const char *host_and_port) {
  char host[256];
  const char *colon = strrchr(host_and_port, ':');
  if (!colon || (size_t)(colon - host_and_port) >= sizeof host)
    fail("bad address %s", host_and_port);
  memcpy(host, host_and_port, (size_t)(colon - host_and_port));
  host[colon - host_and_port] = 0;
  struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
  if (getaddrinfo(host, colon + 1, &hints, &found) != 0) fail("unknown host %s", host);
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0)
    fail("connect %s: %s", host_and_port, strerror(errno));
  freeaddrinfo(found);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void put_be32(uint8_t *to, uint32_t value) {
  to[0] = (uint8_t)(value >> 24);
  to[1] = (uint8_t)(value >> 16);
  to[2] = (uint8_t)(value >> 8);
  to[3] = (uint8_t)value;
}

static uint32_t get_be32(const uint8_t *from) {
  return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void say_hello(Connection *connection, const char *token) {
  char header[4096];
  int count = snprintf(
    header, sizeof header, "{\"op\":\"hello\",\"v\":1,\"client\":\"bench\"%s%s%s}",
    token ? ",\"token\":\"" : "", token ? token : "", token ? "\"" : "");
  uint8_t *to = buffer_reserve(&connection->out, 8 + (size_t)count);
  put_be32(to, (uint32_t)count);
  put_be32(to + 4, 0);
  memcpy(to + 8, header, (size_t)count);
  connection->out.end += 8 + (size_t)count;
  Frame frame = connection_await(connection);
  if (frame.op != op_welcome) fail("refused: %.*s", (int)frame.header_count, frame.header);
}

void connection_open(Connection *connection, const Peer *peer, Role role) {
  memset(connection, 0, sizeof *connection);
  if (strncmp(peer->url, "unix:", 5) == 0) {
    connection->fd = connect_unix(peer->url + 5);
  } else if (strncmp(peer->url, "tcp://", 6) == 0) {
    connection->fd = connect_tcp(peer->url + 6);
  } else {
    fail("not unix:/path or tcp://host:port: %s", peer->url);
  }
  if (peer->pair < 0) {
    say_hello(connection, peer->token);
    return;
  }
  uint8_t place = (uint8_t)(peer->pair * 2 + role), ready;
  if (write(connection->fd, &place, 1) != 1) fail("relay: %s", strerror(errno));
  if (role == role_host) {
    puts("waiting");
    fflush(stdout);
  }
  if (read(connection->fd, &ready, 1) != 1) fail("the relay refused pair %d", peer->pair);
}

// The sidecar and this program write `op` first and `id` second, without insignificant whitespace.
static void read_op_and_id(Frame *frame) {
  static const struct { const char *word; Op op; } ops[] = {
    {"data", op_data}, {"call", op_call}, {"credit", op_credit}, {"ok", op_ok},
    {"error", op_error}, {"welcome", op_welcome}, {"ping", op_ping}, {"cancel", op_cancel},
    {"close", op_close}, {"goodbye", op_goodbye},
  };
  frame->op = op_unknown;
  frame->id = 0;
  if (frame->header_count < 10 || memcmp(frame->header, "{\"op\":\"", 7) != 0) return;
  const char *word = frame->header + 7, *end = frame->header + frame->header_count;
  const char *quote = memchr(word, '"', (size_t)(end - word));
  if (!quote) return;
  size_t count = (size_t)(quote - word);
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    if (strlen(ops[i].word) == count && memcmp(ops[i].word, word, count) == 0) {
      frame->op = ops[i].op;
      break;
    }
  }
  if (end - quote < 8 || memcmp(quote, "\",\"id\":", 7) != 0) return;
  for (const char *digit = quote + 7; digit < end && *digit >= '0' && *digit <= '9'; digit++)
    frame->id = frame->id * 10 + (uint64_t)(*digit - '0');
}

bool connection_next(Connection *connection, Frame *frame) {
  Buffer *in = &connection->in;
  size_t used = in->end - in->start;
  if (used < 8) return false;
  const uint8_t *at = in->bytes + in->start;
  uint32_t header_count = get_be32(at), content_count = get_be32(at + 4);
  if (used - 8 < (size_t)header_count + content_count) return false;
  frame->header = (const char *)at + 8;
  frame->header_count = header_count;
  frame->content = at + 8 + header_count;
  frame->content_count = content_count;
  read_op_and_id(frame);
  in->start += 8 + (size_t)header_count + content_count;
  return true;
}

// Sends what it can. True when all is sent.
static bool flush(Connection *connection) {
  Buffer *out = &connection->out;
  while (out->start < out->end) {
    ssize_t sent = send(
      connection->fd, out->bytes + out->start, out->end - out->start, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;  // full, or gone: then receiving says so
    out->start += (size_t)sent;
  }
  return true;
}

bool connection_turn(Connection *connection, Patience patience) {
  bool all_sent = flush(connection);
  size_t wanted = receive_bytes;
  Buffer *in = &connection->in;
  if (in->end - in->start >= 8) {  // a large frame is received without being moved about
    const uint8_t *at = in->bytes + in->start;
    size_t frame = 8 + (size_t)get_be32(at) + get_be32(at + 4);
    if (frame > in->end - in->start + wanted) wanted = frame - (in->end - in->start);
  }
  uint8_t *to = buffer_reserve(in, wanted);
  if (!all_sent) {
    struct pollfd events = {.fd = connection->fd, .events = POLLIN | POLLOUT};
    poll(&events, 1, -1);
  }
  bool wait = all_sent && patience == wait_for_bytes;
  ssize_t got;
  do {
    got = recv(connection->fd, to, in->room - in->end, wait ? 0 : MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
  if (got <= 0) return false;
  in->end += (size_t)got;
  return true;
}

Frame connection_await(Connection *connection) {
  Frame frame;
  while (!connection_next(connection, &frame)) {
    if (!connection_turn(connection, wait_for_bytes)) fail("the connection was closed");
  }
  return frame;
}

static size_t put_decimal(uint8_t *to, uint64_t value) {
  uint8_t digits[20];
  size_t count = 0;
  do {
    digits[count++] = (uint8_t)('0' + value % 10);
    value /= 10;
  } while (value);
  for (size_t i = 0; i < count; i++) to[i] = digits[count - 1 - i];
  return count;
}

void connection_put(
  Connection *connection, const char *op, uint64_t id, const char *rest, size_t rest_count,
  const void *content, size_t content_count
) {
  size_t op_count = strlen(op);
  uint8_t *frame = buffer_reserve(
    &connection->out, 8 + 7 + op_count + 7 + 20 + rest_count + 1 + content_count);
  uint8_t *to = frame + 8;
  memcpy(to, "{\"op\":\"", 7);
  to += 7;
  memcpy(to, op, op_count);
  to += op_count;
  memcpy(to, "\",\"id\":", 7);
  to += 7;
  to += put_decimal(to, id);
  memcpy(to, rest, rest_count);
  to += rest_count;
  *to++ = '}';
  put_be32(frame, (uint32_t)(to - frame - 8));
  put_be32(frame + 4, (uint32_t)content_count);
  if (content_count) memcpy(to, content, content_count);
  connection->out.end += (size_t)(to - frame) + content_count;
}

uint64_t frame_integer(const Frame *frame, const char *key, uint64_t absent) {
  const char *found = memmem(frame->header, frame->header_count, key, strlen(key));
  if (!found) return absent;
  uint64_t value = 0;
  const char *end = frame->header + frame->header_count;
  for (found += strlen(key); found < end && *found >= '0' && *found <= '9'; found++)
    value = value * 10 + (uint64_t)(*found - '0');
  return value;
}

bool frame_says(const Frame *frame, const char *text) {
  return memmem(frame->header, frame->header_count, text, strlen(text)) != NULL;
}
