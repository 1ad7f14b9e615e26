#include "header_parser.h"

#include <string.h>

#include "header_strings.h"
#include "header_words.h"

static const char *const field_names[COAGENT_FIELDS] = {
    "op",           "client",     "token",       "name",
    "server",       "connection", "reason",      "description",
    "version",      "to",         "type",        "trace",
    "content_type", "from",       "code",        "message",
    "agent",        "topic",      "source",      "run",
    "features",     "v",          "id",          "max_content",
    "heartbeat_ms", "timeout_ms", "concurrency", "session_concurrency",
    "idle_ms",      "window",     "bytes",       "parent",
    "call",         "dropped",    "exclusive",   "lazy",
    "input",        "detach",     "new",         "oneway",
    "observe",      "part",       "end",         "unordered",
    "more",         "retry",      "labels",      "ext",
    "details",
};

const char *coagent_field_name(int field) { return field_names[field]; }

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
  } else if (field >= COAGENT_INTEGERS_END && field < COAGENT_BOOLEANS_END &&
             (c == 't' || c == 'f')) {
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
  if (good)
    h->present |= 1ULL << field;
  else if (h->wrong_field < 0)
    h->wrong_field = field;
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

// The most frequent fields as other sidecars and clients write them: `"key":value`, no white space,
// a plain string, an integer or true. What it takes it takes as the scan below would; at anything
// else it leaves `s->at` where it was. Returns the field or -1.
static inline int scan_usual_field(struct scan *s, struct coagent_header *h, uint64_t known) {
  uint8_t *p = s->at, *end = s->end;
  if (end - p < 12 || *p != '"') return -1;
  size_t length;
  int field = find_usual_field(p + 1, (size_t)(end - p - 1), &length);
  if (field < 0 || known >> field & 1) return -1;
  p += 1 + length;
  if (p[0] != '"' || p[1] != ':') return -1;
  p += 2;
  if (field < COAGENT_STRINGS) {
    if (*p++ != '"') return -1;
    uint8_t *close = skip_plain(p, end);
    if (close == end || *close != '"') return -1;
    h->strings[field].start = p;
    h->strings[field].length = (size_t)(close - p);
    p = close + 1;
  } else if (field < COAGENT_INTEGERS_END) {
    uint8_t *digits = p;
    uint64_t value = 0;
    while (p < end && *p >= '0' && *p <= '9' && p - digits < 16)
      value = value * 10 + (uint64_t)(*p++ - '0');
    if (p == digits || p == end || (*p != ',' && *p != '}') || (*digits == '0' && p - digits > 1))
      return -1;
    if (value > COAGENT_INTEGER_MAX) return -1;
    h->integers[field - COAGENT_STRINGS] = value;
  } else {
    if (end - p < 4 || memcmp(p, "true", 4)) return -1;
    h->truths |= 1ULL << field;
    p += 4;
  }
  h->present |= 1ULL << field;
  s->at = p;
  return field;
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
      int field = scan_usual_field(s, h, known);
      if (field >= 0) {
        known |= 1ULL << field;
      } else {
        struct coagent_slice key;
        skip_space(s);
        if (!take(s, '"') || !scan_key(s, &key)) return s->fault;
        skip_space(s);
        if (!take(s, ':')) return s->fault;
        skip_space(s);
        field = find_field(key);
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
      }
      if (s->at < s->end && *s->at == ',') {
        s->at++;
        continue;
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
