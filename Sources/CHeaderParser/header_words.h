// Which field or op a word is: compared at once, by its length.
#ifndef COAGENT_HEADER_WORDS_H
#define COAGENT_HEADER_WORDS_H

#include <string.h>

#include "header_parser.h"

static inline int is(const struct coagent_slice *key, const char *name) {
  return !memcmp(key->start, name, key->length);
}

// The field of a key, by its length and bytes, or -1.
static inline int find_field(struct coagent_slice key) {
  const uint8_t *k = key.start;
  switch (key.length) {
    case 1:
      return *k == 'v' ? COAGENT_V : -1;
    case 2:
      if (k[0] == 'o' && k[1] == 'p') return COAGENT_OP;
      if (k[0] == 'i' && k[1] == 'd') return COAGENT_ID;
      return k[0] == 't' && k[1] == 'o' ? COAGENT_TO : -1;
    case 3:
      return is(&key, "end")   ? COAGENT_END
             : is(&key, "ext") ? COAGENT_EXT
             : is(&key, "run") ? COAGENT_RUN
             : is(&key, "new") ? COAGENT_NEW
                               : -1;
    case 4:
      return is(&key, "type")   ? COAGENT_TYPE
             : is(&key, "from") ? COAGENT_FROM
             : is(&key, "part") ? COAGENT_PART
             : is(&key, "code") ? COAGENT_CODE
             : is(&key, "more") ? COAGENT_MORE
             : is(&key, "call") ? COAGENT_CALL
             : is(&key, "name") ? COAGENT_NAME
             : is(&key, "lazy") ? COAGENT_LAZY
                                : -1;
    case 5:
      return is(&key, "bytes")   ? COAGENT_BYTES
             : is(&key, "trace") ? COAGENT_TRACE
             : is(&key, "input") ? COAGENT_INPUT
             : is(&key, "retry") ? COAGENT_RETRY
             : is(&key, "token") ? COAGENT_TOKEN
             : is(&key, "agent") ? COAGENT_AGENT
             : is(&key, "topic") ? COAGENT_TOPIC
                                 : -1;
    case 6:
      return is(&key, "window")   ? COAGENT_WINDOW
             : is(&key, "parent") ? COAGENT_PARENT
             : is(&key, "reason") ? COAGENT_REASON
             : is(&key, "client") ? COAGENT_CLIENT
             : is(&key, "server") ? COAGENT_SERVER
             : is(&key, "source") ? COAGENT_SOURCE
             : is(&key, "detach") ? COAGENT_DETACH
             : is(&key, "oneway") ? COAGENT_ONEWAY
             : is(&key, "labels") ? COAGENT_LABELS
                                  : -1;
    case 7:
      return is(&key, "message")   ? COAGENT_MESSAGE
             : is(&key, "details") ? COAGENT_DETAILS
             : is(&key, "observe") ? COAGENT_OBSERVE
             : is(&key, "idle_ms") ? COAGENT_IDLE_MS
             : is(&key, "version") ? COAGENT_VERSION
             : is(&key, "dropped") ? COAGENT_DROPPED
                                   : -1;
    case 8:
      return is(&key, "features") ? COAGENT_FEATURES : -1;
    case 9:
      return is(&key, "exclusive")   ? COAGENT_EXCLUSIVE
             : is(&key, "unordered") ? COAGENT_UNORDERED
                                     : -1;
    case 10:
      return is(&key, "timeout_ms")   ? COAGENT_TIMEOUT_MS
             : is(&key, "connection") ? COAGENT_CONNECTION
                                      : -1;
    case 11:
      return is(&key, "description")   ? COAGENT_DESCRIPTION
             : is(&key, "concurrency") ? COAGENT_CONCURRENCY
             : is(&key, "max_content") ? COAGENT_MAX_CONTENT
                                       : -1;
    case 12:
      return is(&key, "content_type")   ? COAGENT_CONTENT_TYPE
             : is(&key, "heartbeat_ms") ? COAGENT_HEARTBEAT_MS
                                        : -1;
    case 19:
      return is(&key, "session_concurrency") ? COAGENT_SESSION_CONCURRENCY : -1;
    default:
      return -1;
  }
}

// What an op's word stands for.
static inline int find_op(struct coagent_slice op) {
  switch (op.length) {
    case 2:
      return is(&op, "ok") ? COAGENT_OP_OK : COAGENT_OP_UNKNOWN;
    case 4:
      return is(&op, "data")   ? COAGENT_OP_DATA
             : is(&op, "call") ? COAGENT_OP_CALL
             : is(&op, "send") ? COAGENT_OP_SEND
             : is(&op, "ping") ? COAGENT_OP_PING
             : is(&op, "pong") ? COAGENT_OP_PONG
                               : COAGENT_OP_UNKNOWN;
    case 5:
      return is(&op, "error")   ? COAGENT_OP_ERROR
             : is(&op, "close") ? COAGENT_OP_CLOSE
             : is(&op, "hello") ? COAGENT_OP_HELLO
                                : COAGENT_OP_UNKNOWN;
    case 6:
      return is(&op, "credit")   ? COAGENT_OP_CREDIT
             : is(&op, "cancel") ? COAGENT_OP_CANCEL
             : is(&op, "signal") ? COAGENT_OP_SIGNAL
             : is(&op, "splice") ? COAGENT_OP_SPLICE
                                 : COAGENT_OP_UNKNOWN;
    case 7:
      return is(&op, "welcome")   ? COAGENT_OP_WELCOME
             : is(&op, "goodbye") ? COAGENT_OP_GOODBYE
             : is(&op, "publish") ? COAGENT_OP_PUBLISH
                                  : COAGENT_OP_UNKNOWN;
    case 8:
      return is(&op, "register") ? COAGENT_OP_REGISTER : COAGENT_OP_UNKNOWN;
    case 9:
      return is(&op, "subscribe") ? COAGENT_OP_SUBSCRIBE : COAGENT_OP_UNKNOWN;
    default:
      return COAGENT_OP_UNKNOWN;
  }
}

// A word of up to eight bytes as it lies in memory, for comparing at once.
static inline uint64_t word_of(const char *text, size_t length) {
  uint64_t word = 0;
  memcpy(&word, text, length);
  return word;
}

#define IS(text) (word == word_of(text, sizeof text - 1))

// The field whose key begins at `p`, if it is one of those that most frames have; else -1. `left`,
// 11 or more, is how many bytes there are; *length is the key's.
static inline int find_usual_field(const uint8_t *p, size_t left, size_t *length) {
  const uint64_t ones = 0x0101010101010101ULL, highs = 0x8080808080808080ULL;
  uint64_t word, quotes;
  memcpy(&word, p, 8);
  quotes = word ^ ones * '"';
  uint64_t found = (quotes - ones) & ~quotes & highs;
  if (!found) {
    if (left < 16) return -1;
    if (IS("timeout_") && p[8] == 'm' && p[9] == 's') return *length = 10, COAGENT_TIMEOUT_MS;
    if (IS("content_") && !memcmp(p + 8, "type", 4)) return *length = 12, COAGENT_CONTENT_TYPE;
    return -1;
  }
  *length = (size_t)(__builtin_ctzll(found) >> 3);
  if (*length == 0) return -1;
  word &= ~0ULL >> (64 - 8 * *length);
  switch (*length) {
    case 2:
      return IS("op") ? COAGENT_OP : IS("id") ? COAGENT_ID : IS("to") ? COAGENT_TO : -1;
    case 3:
      return IS("end") ? COAGENT_END : IS("new") ? COAGENT_NEW : -1;
    case 4:
      return IS("type") ? COAGENT_TYPE : IS("part") ? COAGENT_PART : IS("from") ? COAGENT_FROM : -1;
    case 5:
      return IS("bytes")   ? COAGENT_BYTES
             : IS("trace") ? COAGENT_TRACE
             : IS("input") ? COAGENT_INPUT
                           : -1;
    case 6:
      return IS("window") ? COAGENT_WINDOW : IS("parent") ? COAGENT_PARENT : -1;
    default:
      return -1;
  }
}

#undef IS

#endif
