// Where a scan stands, and its strings: UTF-8, escapes, and the fast way over what has neither.
#ifndef COAGENT_HEADER_STRINGS_H
#define COAGENT_HEADER_STRINGS_H

#include <string.h>

#include "header_parser.h"

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
  if (s->at<s->end && * s->at> ' ') return;
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
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
    if (found) return p + (__builtin_ctzll(found) >> 3);
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

#endif
