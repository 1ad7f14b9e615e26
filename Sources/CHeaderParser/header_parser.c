#include "header_parser.h"

#include <string.h>

static const char *const field_names[COAGENT_FIELDS] = {
    "op",         "client",       "token",       "name",        "server",    "connection",
    "reason",     "description",  "version",     "to",          "type",      "trace",
    "content_type", "from",       "code",        "message",     "agent",     "topic",
    "source",     "run",          "features",    "v",           "id",        "max_content",
    "heartbeat_ms", "timeout_ms", "concurrency", "session_concurrency", "idle_ms", "window",
    "bytes",      "parent",       "call",        "dropped",     "exclusive", "lazy",
    "input",      "detach",       "new",         "oneway",      "observe",   "part",
    "end",        "unordered",    "more",        "retry",       "labels",    "ext",
    "details",
};

const char *coagent_field_name(int field) { return field_names[field]; }

// Where the scan stands. `fault` is set once, by whoever finds the first fault.
struct scan {
  uint8_t *at;
  uint8_t *end;
  int fault;
};

static int fail(struct scan *s, int fault) {
  if (!s->fault) s->fault = fault;
  return 0;
}

static inline void skip_space(struct scan *s) {
  while (s->at < s->end
         && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
    s->at++;
}

static inline int take(struct scan *s, uint8_t byte) {
  if (s->at < s->end && *s->at == byte) {
    s->at++;
    return 1;
  }
  return fail(s, COAGENT_HEADER_SYNTAX);
}

// The length of the UTF-8 sequence at `p` (RFC 3629: no overlong forms, no surrogates), or 0.
static size_t utf8_length(const uint8_t *p, const uint8_t *end) {
  uint8_t a = p[0];
  size_t left = (size_t)(end - p);
  if (a < 0x80) return 1;
  if (a < 0xC2 || left < 2) return 0;
  if (a < 0xE0) return (p[1] & 0xC0) == 0x80 ? 2 : 0;
  if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) return 0;
  if (a < 0xF0) {
    if (a == 0xE0 && p[1] < 0xA0) return 0;
    if (a == 0xED && p[1] > 0x9F) return 0;
    return 3;
  }
  if (a > 0xF4 || left < 4 || (p[3] & 0xC0) != 0x80) return 0;
  if (a == 0xF0 && p[1] < 0x90) return 0;
  if (a == 0xF4 && p[1] > 0x8F) return 0;
  return 4;
}

// Four hexadecimal digits at `p`, or -1.
static int32_t hex4(const uint8_t *p, const uint8_t *end) {
  int32_t value = 0;
  if (end - p < 4) return -1;
  for (int i = 0; i < 4; i++) {
    uint8_t c = p[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t c) {
  if (c < 0x80) {
    *to++ = (uint8_t)c;
  } else if (c < 0x800) {
    *to++ = (uint8_t)(0xC0 | c >> 6);
    *to++ = (uint8_t)(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *to++ = (uint8_t)(0xE0 | c >> 12);
    *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    *to++ = (uint8_t)(0x80 | (c & 0x3F));
  } else {
    *to++ = (uint8_t)(0xF0 | c >> 18);
    *to++ = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    *to++ = (uint8_t)(0x80 | (c & 0x3F));
  }
  return to;
}

// One escape; s->at stands behind the backslash. Writes what it means to *to unless `to` is null.
static int scan_escape(struct scan *s, uint8_t **to) {
  static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (s->at >= s->end) return fail(s, COAGENT_HEADER_SYNTAX);
  uint8_t c = *s->at++;
  const char *found = c ? strchr(plain, c) : NULL;
  if (found) {
    if (to) *(*to)++ = (uint8_t)meant[found - plain];
    return 1;
  }
  if (c != 'u') return fail(s, COAGENT_HEADER_STRING);
  int32_t unit = hex4(s->at, s->end);
  if (unit < 0) return fail(s, COAGENT_HEADER_STRING);
  s->at += 4;
  uint32_t scalar = (uint32_t)unit;
  if (unit >= 0xDC00 && unit <= 0xDFFF) return fail(s, COAGENT_HEADER_STRING);
  if (unit >= 0xD800 && unit <= 0xDBFF) {
    if (s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
      return fail(s, COAGENT_HEADER_STRING);
    int32_t low = hex4(s->at + 2, s->end);
    if (low < 0xDC00 || low > 0xDFFF) return fail(s, COAGENT_HEADER_STRING);
    s->at += 6;
    scalar = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
  }
  if (to) *to = put_utf8(*to, scalar);
  return 1;
}

// Passes over what most strings consist of: ASCII that is no quote, backslash or control. Eight
// bytes at a time: each test sets the high bit of the bytes that it finds (Mycroft's trick; a bit
// set above a found byte may be wrong, the lowest never is).
static inline uint8_t *skip_plain(uint8_t *p, const uint8_t *end) {
  const uint64_t ones = 0x0101010101010101ULL, highs = 0x8080808080808080ULL;
  while (end - p >= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    uint64_t quotes = word ^ ones * '"', slashes = word ^ ones * '\\';
    uint64_t found = ((word - ones * 0x20) | (quotes - ones) | (slashes - ones) | word) & highs;
    if (found) break;
    p += 8;
  }
  while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') p++;
  return p;
}

// A string, s->at behind its opening quote. With `decode` its escapes are decoded in place;
// without, the text stays as it is (what is inside `ext` is copied on as written).
static int scan_string(struct scan *s, struct coagent_slice *slice, int *escaped, int decode) {
  uint8_t *start = s->at, *to = NULL;
  *escaped = 0;
  for (;;) {
    if (!to) s->at = skip_plain(s->at, s->end);
    if (s->at >= s->end) return fail(s, COAGENT_HEADER_SYNTAX);
    uint8_t c = *s->at;
    if (c == '"') break;
    if (c == '\\') {
      *escaped = 1;
      if (decode && !to) to = s->at;
      s->at++;
      if (!scan_escape(s, decode ? &to : NULL)) return 0;
      continue;
    }
    if (c < 0x20) return fail(s, COAGENT_HEADER_STRING);
    size_t n = utf8_length(s->at, s->end);
    if (!n) return fail(s, COAGENT_HEADER_UTF8);
    if (to) {
      memmove(to, s->at, n);
      to += n;
    }
    s->at += n;
  }
  slice->start = start;
  slice->length = (size_t)((to ? to : s->at) - start);
  s->at++;
  return 1;
}

// A number by JSON's grammar. Returns 1 when it is one of our integers, 0 when it is another
// number.
static int scan_number(struct scan *s, uint64_t *value) {
  uint8_t *p = s->at, *end = s->end;
  int ours = 1;
  uint64_t v = 0;
  if (p < end && *p == '-') {
    ours = 0;
    p++;
  }
  uint8_t *digits = p;
  while (p < end && *p >= '0' && *p <= '9') {
    if (v <= COAGENT_INTEGER_MAX) v = v * 10 + (uint64_t)(*p - '0');
    p++;
  }
  if (p == digits || (*digits == '0' && p - digits > 1)) return fail(s, COAGENT_HEADER_SYNTAX);
  if (p < end && *p == '.') {
    ours = 0;
    uint8_t *fraction = ++p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    if (p == fraction) return fail(s, COAGENT_HEADER_SYNTAX);
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    ours = 0;
    p++;
    if (p < end && (*p == '+' || *p == '-')) p++;
    uint8_t *exponent = p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    if (p == exponent) return fail(s, COAGENT_HEADER_SYNTAX);
  }
  s->at = p;
  *value = v;
  return ours && v <= COAGENT_INTEGER_MAX;
}

static int scan_word(struct scan *s, const char *word, size_t length) {
  if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length))
    return fail(s, COAGENT_HEADER_SYNTAX);
  s->at += length;
  return 1;
}

// Any JSON value, checked and passed over.
static int skip_value(struct scan *s, int depth) {
  struct coagent_slice slice;
  uint64_t number;
  int escaped;
  skip_space(s);
  if (s->at >= s->end) return fail(s, COAGENT_HEADER_SYNTAX);
  switch (*s->at) {
    case '"':
      s->at++;
      return scan_string(s, &slice, &escaped, 0);
    case 't':
      return scan_word(s, "true", 4);
    case 'f':
      return scan_word(s, "false", 5);
    case 'n':
      return scan_word(s, "null", 4);
    case '{':
    case '[': {
      uint8_t close = *s->at == '{' ? '}' : ']';
      if (depth >= COAGENT_HEADER_DEPTH_MAX) return fail(s, COAGENT_HEADER_DEPTH);
      s->at++;
      skip_space(s);
      if (s->at < s->end && *s->at == close) {
        s->at++;
        return 1;
      }
      for (;;) {
        if (close == '}') {
          skip_space(s);
          if (!take(s, '"') || !scan_string(s, &slice, &escaped, 0)) return 0;
          skip_space(s);
          if (!take(s, ':')) return 0;
        }
        if (!skip_value(s, depth + 1)) return 0;
        skip_space(s);
        if (s->at < s->end && *s->at == ',') {
          s->at++;
          continue;
        }
        return take(s, close);
      }
    }
    default:
      scan_number(s, &number);
      return !s->fault;
  }
}

static int seen_before(const struct coagent_slice *keys, size_t count, struct coagent_slice key) {
  for (size_t i = 0; i < count; i++)
    if (keys[i].length == key.length && !memcmp(keys[i].start, key.start, key.length)) return 1;
  return 0;
}

// A key of labels, ext or details: 1 to 128 bytes without U+007F to U+009F. That none is below
// U+0020 and that it is UTF-8 scan_string knows.
static int is_plain_key(struct coagent_slice key) {
  if (!key.length || key.length > COAGENT_KEY_BYTES_MAX) return 0;
  for (size_t i = 0; i < key.length; i++) {
    if (key.start[i] == 0x7F) return 0;
    if (key.start[i] == 0xC2 && key.start[i + 1] <= 0x9F) return 0;
  }
  return 1;
}

// Whether a key inside an object has U+007F or U+0080-9F in it (C2 80 to C2 9F in UTF-8). Those
// below U+0020 no string has.
static int has_control(struct coagent_slice key) {
  for (size_t i = 0; i < key.length; i++) {
    if (key.start[i] == 0x7F) return 1;
    if (key.start[i] == 0xC2 && key.start[i + 1] <= 0x9F) return 1;
  }
  return 0;
}

// labels, ext or details: plain keys, each once. *flat becomes 0 when a value is none of ours.
static int scan_object(struct scan *s, int strings_only, struct coagent_slice *slice, int *flat) {
  struct coagent_slice keys[COAGENT_HEADER_KEYS_MAX], value;
  size_t count = 0;
  int escaped;
  uint64_t number;
  slice->start = s->at++;
  *flat = 1;
  skip_space(s);
  if (s->at < s->end && *s->at == '}') {
    s->at++;
  } else {
    for (;;) {
      struct coagent_slice key;
      skip_space(s);
      if (!take(s, '"') || !scan_string(s, &key, &escaped, 0)) return 0;
      if (escaped || !is_plain_key(key)) return fail(s, COAGENT_HEADER_KEY);
      if (seen_before(keys, count, key)) return fail(s, COAGENT_HEADER_DUPLICATE);
      if (count == COAGENT_HEADER_KEYS_MAX) return fail(s, COAGENT_HEADER_KEYS);
      keys[count++] = key;
      skip_space(s);
      if (!take(s, ':')) return 0;
      skip_space(s);
      uint8_t c = s->at < s->end ? *s->at : 0;
      if (c == '"') {
        s->at++;
        if (!scan_string(s, &value, &escaped, 0)) return 0;
      } else if (c == '-' || (c >= '0' && c <= '9')) {
        if (!scan_number(s, &number)) *flat = 0;
        if (s->fault) return 0;
        if (strings_only) *flat = 0;
      } else {
        if (strings_only || (c != 't' && c != 'f')) *flat = 0;
        if (!skip_value(s, 2)) return 0;
      }
      skip_space(s);
      if (s->at < s->end && *s->at == ',') {
        s->at++;
        continue;
      }
      if (!take(s, '}')) return 0;
      break;
    }
  }
  slice->length = (size_t)(s->at - slice->start);
  return 1;
}

static inline int is(const struct coagent_slice *key, const char *name) {
  return !memcmp(key->start, name, key->length);
}

// The field of a key, by its length and bytes, or -1.
static int find_field(struct coagent_slice key) {
  const uint8_t *k = key.start;
  switch (key.length) {
    case 1: return *k == 'v' ? COAGENT_V : -1;
    case 2:
      if (k[0] == 'o' && k[1] == 'p') return COAGENT_OP;
      if (k[0] == 'i' && k[1] == 'd') return COAGENT_ID;
      return k[0] == 't' && k[1] == 'o' ? COAGENT_TO : -1;
    case 3:
      return is(&key, "end") ? COAGENT_END : is(&key, "ext") ? COAGENT_EXT
           : is(&key, "run") ? COAGENT_RUN : is(&key, "new") ? COAGENT_NEW : -1;
    case 4:
      return is(&key, "type") ? COAGENT_TYPE : is(&key, "from") ? COAGENT_FROM
           : is(&key, "part") ? COAGENT_PART : is(&key, "code") ? COAGENT_CODE
           : is(&key, "more") ? COAGENT_MORE : is(&key, "call") ? COAGENT_CALL
           : is(&key, "name") ? COAGENT_NAME : is(&key, "lazy") ? COAGENT_LAZY : -1;
    case 5:
      return is(&key, "bytes") ? COAGENT_BYTES : is(&key, "trace") ? COAGENT_TRACE
           : is(&key, "input") ? COAGENT_INPUT : is(&key, "retry") ? COAGENT_RETRY
           : is(&key, "token") ? COAGENT_TOKEN : is(&key, "agent") ? COAGENT_AGENT
           : is(&key, "topic") ? COAGENT_TOPIC : -1;
    case 6:
      return is(&key, "window") ? COAGENT_WINDOW : is(&key, "parent") ? COAGENT_PARENT
           : is(&key, "reason") ? COAGENT_REASON : is(&key, "client") ? COAGENT_CLIENT
           : is(&key, "server") ? COAGENT_SERVER : is(&key, "source") ? COAGENT_SOURCE
           : is(&key, "detach") ? COAGENT_DETACH : is(&key, "oneway") ? COAGENT_ONEWAY
           : is(&key, "labels") ? COAGENT_LABELS : -1;
    case 7:
      return is(&key, "message") ? COAGENT_MESSAGE : is(&key, "details") ? COAGENT_DETAILS
           : is(&key, "observe") ? COAGENT_OBSERVE : is(&key, "idle_ms") ? COAGENT_IDLE_MS
           : is(&key, "version") ? COAGENT_VERSION : is(&key, "dropped") ? COAGENT_DROPPED : -1;
    case 8: return is(&key, "features") ? COAGENT_FEATURES : -1;
    case 9:
      return is(&key, "exclusive") ? COAGENT_EXCLUSIVE
           : is(&key, "unordered") ? COAGENT_UNORDERED
                                   : -1;
    case 10:
      return is(&key, "timeout_ms") ? COAGENT_TIMEOUT_MS
           : is(&key, "connection") ? COAGENT_CONNECTION
                                    : -1;
    case 11:
      return is(&key, "description") ? COAGENT_DESCRIPTION
           : is(&key, "concurrency") ? COAGENT_CONCURRENCY
           : is(&key, "max_content") ? COAGENT_MAX_CONTENT : -1;
    case 12:
      return is(&key, "content_type") ? COAGENT_CONTENT_TYPE
           : is(&key, "heartbeat_ms") ? COAGENT_HEARTBEAT_MS
                                      : -1;
    case 19: return is(&key, "session_concurrency") ? COAGENT_SESSION_CONCURRENCY : -1;
    default: return -1;
  }
}

static int find_op(struct coagent_slice op) {
  switch (op.length) {
    case 2: return is(&op, "ok") ? COAGENT_OP_OK : COAGENT_OP_UNKNOWN;
    case 4:
      return is(&op, "data") ? COAGENT_OP_DATA : is(&op, "call") ? COAGENT_OP_CALL
           : is(&op, "send") ? COAGENT_OP_SEND : is(&op, "ping") ? COAGENT_OP_PING
           : is(&op, "pong") ? COAGENT_OP_PONG : COAGENT_OP_UNKNOWN;
    case 5:
      return is(&op, "error") ? COAGENT_OP_ERROR : is(&op, "close") ? COAGENT_OP_CLOSE
           : is(&op, "hello") ? COAGENT_OP_HELLO : COAGENT_OP_UNKNOWN;
    case 6:
      return is(&op, "credit") ? COAGENT_OP_CREDIT : is(&op, "cancel") ? COAGENT_OP_CANCEL
           : COAGENT_OP_UNKNOWN;
    case 7:
      return is(&op, "welcome") ? COAGENT_OP_WELCOME : is(&op, "goodbye") ? COAGENT_OP_GOODBYE
           : COAGENT_OP_UNKNOWN;
    case 8: return is(&op, "register") ? COAGENT_OP_REGISTER : COAGENT_OP_UNKNOWN;
    default: return COAGENT_OP_UNKNOWN;
  }
}

// The value of a known field. A value of the wrong kind is noted, and is still checked as JSON.
static int scan_field(struct scan *s, struct coagent_header *h, int field) {
  int good = 0, escaped;
  uint8_t c = s->at < s->end ? *s->at : 0;
  if (field < COAGENT_STRINGS && c == '"') {
    s->at++;
    if (!scan_string(s, &h->strings[field], &escaped, 1)) return 0;
    good = 1;
  } else if (field >= COAGENT_STRINGS && field < COAGENT_INTEGERS_END && c >= '0' && c <= '9') {
    good = scan_number(s, &h->integers[field - COAGENT_STRINGS]);
    if (s->fault) return 0;
  } else if (field >= COAGENT_INTEGERS_END && field < COAGENT_BOOLEANS_END
             && (c == 't' || c == 'f')) {
    if (!(c == 't' ? scan_word(s, "true", 4) : scan_word(s, "false", 5))) return 0;
    if (c == 't') h->truths |= 1ULL << field;
    good = 1;
  } else if (field >= COAGENT_BOOLEANS_END && c == '{') {
    struct coagent_slice *object = &h->objects[field - COAGENT_BOOLEANS_END];
    if (!scan_object(s, field == COAGENT_LABELS, object, &good)) return 0;
    if (field == COAGENT_EXT && object->length > COAGENT_EXT_BYTES_MAX) good = 0;
  } else if (!skip_value(s, 1)) {
    return 0;
  }
  if (good) h->present |= 1ULL << field;
  else if (h->wrong_field < 0) h->wrong_field = field;
  return 1;
}

static int scan_key(struct scan *s, struct coagent_slice *key) {
  uint8_t *p = s->at;
  while (p < s->end && ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_')) p++;
  key->start = s->at;
  key->length = (size_t)(p - s->at);
  if (p >= s->end) return fail(s, COAGENT_HEADER_SYNTAX);
  if (*p != '"' || !key->length || !(*key->start >= 'a' && *key->start <= 'z'))
    return fail(s, COAGENT_HEADER_KEY);
  s->at = p + 1;
  return 1;
}

int coagent_header_scan(uint8_t *text, size_t length, struct coagent_header *h) {
  struct scan scanning = {text, text + length, COAGENT_HEADER_OK}, *s = &scanning;
  struct coagent_slice unknown[COAGENT_HEADER_KEYS_MAX];
  size_t unknowns = 0;
  uint64_t known = 0;
  h->present = 0;
  h->truths = 0;
  h->op = COAGENT_OP_MISSING;
  h->wrong_field = -1;
  skip_space(s);
  if (!take(s, '{')) return s->fault;
  skip_space(s);
  if (s->at < s->end && *s->at == '}') {
    s->at++;
  } else {
    for (;;) {
      struct coagent_slice key;
      skip_space(s);
      if (!take(s, '"') || !scan_key(s, &key)) return s->fault;
      skip_space(s);
      if (!take(s, ':')) return s->fault;
      skip_space(s);
      int field = find_field(key);
      if (field >= 0) {
        if (known >> field & 1) return COAGENT_HEADER_DUPLICATE;
        known |= 1ULL << field;
        if (!scan_field(s, h, field)) return s->fault;
      } else {
        if (seen_before(unknown, unknowns, key)) return COAGENT_HEADER_DUPLICATE;
        if (unknowns == COAGENT_HEADER_KEYS_MAX) return COAGENT_HEADER_KEYS;
        unknown[unknowns++] = key;
        if (!skip_value(s, 1)) return s->fault;
      }
      skip_space(s);
      if (s->at < s->end && *s->at == ',') {
        s->at++;
        continue;
      }
      if (!take(s, '}')) return s->fault;
      break;
    }
  }
  skip_space(s);
  if (s->at != s->end) return COAGENT_HEADER_TRAILING;
  if (h->present >> COAGENT_OP & 1) h->op = find_op(h->strings[COAGENT_OP]);
  return COAGENT_HEADER_OK;
}
