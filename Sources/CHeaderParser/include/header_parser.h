// One pass over a frame's header: validates the JSON wholly and finds the fields.
//
// A header is one flat JSON object (proto/SPEC.md, section HDR). The scanner accepts nothing that
// Python's, Node's or Go's parser would refuse or read differently; it allocates nothing.
#ifndef COAGENT_HEADER_PARSER_H
#define COAGENT_HEADER_PARSER_H

#include <stddef.h>
#include <stdint.h>

// Every field that version 1 knows. Strings first, then integers, booleans and objects, so that the
// kind of a field follows from its number.
enum coagent_field {
  COAGENT_OP, COAGENT_CLIENT, COAGENT_TOKEN, COAGENT_NAME, COAGENT_SERVER, COAGENT_CONNECTION,
  COAGENT_REASON, COAGENT_DESCRIPTION, COAGENT_VERSION, COAGENT_TO, COAGENT_TYPE, COAGENT_TRACE,
  COAGENT_CONTENT_TYPE, COAGENT_FROM, COAGENT_CODE, COAGENT_MESSAGE, COAGENT_AGENT, COAGENT_TOPIC,
  COAGENT_SOURCE, COAGENT_RUN, COAGENT_FEATURES,
  COAGENT_STRINGS,

  COAGENT_V = COAGENT_STRINGS, COAGENT_ID, COAGENT_MAX_CONTENT, COAGENT_HEARTBEAT_MS,
  COAGENT_TIMEOUT_MS, COAGENT_CONCURRENCY, COAGENT_SESSION_CONCURRENCY, COAGENT_IDLE_MS,
  COAGENT_WINDOW, COAGENT_BYTES, COAGENT_PARENT, COAGENT_CALL, COAGENT_DROPPED,
  COAGENT_INTEGERS_END,

  COAGENT_EXCLUSIVE = COAGENT_INTEGERS_END, COAGENT_LAZY, COAGENT_INPUT, COAGENT_DETACH,
  COAGENT_NEW, COAGENT_ONEWAY, COAGENT_OBSERVE, COAGENT_PART, COAGENT_END, COAGENT_UNORDERED,
  COAGENT_MORE, COAGENT_RETRY,
  COAGENT_BOOLEANS_END,

  COAGENT_LABELS = COAGENT_BOOLEANS_END, COAGENT_EXT, COAGENT_DETAILS,
  COAGENT_FIELDS,
};

enum coagent_op {
  COAGENT_OP_MISSING, COAGENT_OP_UNKNOWN, COAGENT_OP_HELLO, COAGENT_OP_WELCOME, COAGENT_OP_PING,
  COAGENT_OP_PONG, COAGENT_OP_GOODBYE, COAGENT_OP_REGISTER, COAGENT_OP_OK, COAGENT_OP_CALL,
  COAGENT_OP_DATA, COAGENT_OP_ERROR, COAGENT_OP_CANCEL, COAGENT_OP_CREDIT, COAGENT_OP_SEND,
  COAGENT_OP_CLOSE, COAGENT_OP_PUBLISH, COAGENT_OP_SUBSCRIBE, COAGENT_OP_SIGNAL, COAGENT_OP_SPLICE,
};

// A string's bytes, already without escapes, or an object's text with its braces.
struct coagent_slice {
  const uint8_t *start;
  size_t length;
};

struct coagent_header {
  uint64_t present;  // bit n: field n is there and of its kind
  uint64_t truths;   // bit n: the boolean field n is true
  uint64_t integers[COAGENT_INTEGERS_END - COAGENT_STRINGS];
  struct coagent_slice strings[COAGENT_STRINGS];
  struct coagent_slice objects[COAGENT_FIELDS - COAGENT_BOOLEANS_END];
  int op;           // enum coagent_op
  int wrong_field;  // the first known field of the wrong kind, or -1
};

// What is wrong with a header that cannot be trusted.
enum coagent_header_fault {
  COAGENT_HEADER_OK,
  COAGENT_HEADER_SYNTAX,
  COAGENT_HEADER_UTF8,
  COAGENT_HEADER_STRING,     // a raw control character, a bad escape or a lone surrogate
  COAGENT_HEADER_KEY,        // escaped, empty, or not [a-z][a-z0-9_]*; within an object: not plain
  COAGENT_HEADER_DUPLICATE,  // a key twice
  COAGENT_HEADER_KEYS,       // more than COAGENT_HEADER_KEYS_MAX keys in one object
  COAGENT_HEADER_DEPTH,      // nested deeper than COAGENT_HEADER_DEPTH_MAX
  COAGENT_HEADER_TRAILING,   // bytes after the object
};

#define COAGENT_HEADER_KEYS_MAX 64
#define COAGENT_HEADER_DEPTH_MAX 16
#define COAGENT_KEY_BYTES_MAX 128   // of a key in labels, ext and details
#define COAGENT_EXT_BYTES_MAX 8192  // of ext with its braces: a longer one is of the wrong kind
#define COAGENT_INTEGER_MAX 9007199254740991ULL  // 2^53 - 1: what a double holds exactly

// Reads the header in `text` and fills `header`, whose slices point into `text`. Escapes are
// decoded in place, so a text is read once. Returns COAGENT_HEADER_OK or what is wrong.
int coagent_header_scan(uint8_t *text, size_t length, struct coagent_header *header);

// One field of its kind; only where its bit in `present` is set. Inline: Swift sees C arrays as
// tuples, which it would have to copy.
static inline struct coagent_slice coagent_string(const struct coagent_header *header, int field) {
  return header->strings[field];
}

static inline uint64_t coagent_integer(const struct coagent_header *header, int field) {
  return header->integers[field - COAGENT_STRINGS];
}

static inline struct coagent_slice coagent_object(const struct coagent_header *header, int field) {
  return header->objects[field - COAGENT_BOOLEANS_END];
}

// Writes `value` in decimal, at most 20 bytes; returns the end.
static inline uint8_t *coagent_put_decimal(uint64_t value, uint8_t *to) {
  static const char pairs[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
      "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
      "8081828384858687888990919293949596979899";
  static const uint64_t powers[] = {0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
      1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000,
      1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000,
      10000000000000000000ULL};
  // 1233 / 4096 is log 2 / log 10, near enough for 64 bits.
  int digits = ((64 - __builtin_clzll(value | 1)) * 1233) >> 12;
  digits += digits >= 20 ? 0 : value >= powers[digits];
  if (digits == 0) digits = 1;
  uint8_t *end = to + digits, *at = end;
  while (value >= 100) {
    at -= 2;
    __builtin_memcpy(at, pairs + value % 100 * 2, 2);
    value /= 100;
  }
  if (value >= 10) __builtin_memcpy(to, pairs + value * 2, 2);
  else *to = (uint8_t)('0' + value);
  return end;
}

// The field's name on the wire.
const char *coagent_field_name(int field);

#endif
