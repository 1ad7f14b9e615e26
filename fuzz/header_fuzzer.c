// libFuzzer target for the header scanner: whatever the bytes, it stays inside them, and what it
// accepts it accepts again with the same values when they are written out anew.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "header_parser.h"

// What is written for a string, at most: every byte as \u00xx.
#define ESCAPED_MAX 6

static uint8_t *put(uint8_t *to, const void *bytes, size_t length) {
  if (length) memcpy(to, bytes, length);
  return to + length;
}

static uint8_t *put_string(uint8_t *to, struct coagent_slice text) {
  *to++ = '"';
  for (size_t i = 0; i < text.length; i++) {
    uint8_t c = text.start[i];
    if (c < 0x20 || c == '"' || c == '\\') to += sprintf((char *)to, "\\u%04x", c);
    else *to++ = c;
  }
  *to++ = '"';
  return to;
}

static void must_be_inside(const uint8_t *text, size_t size, struct coagent_slice slice) {
  assert(slice.start >= text && slice.start + slice.length <= text + size);
}

static int has(const struct coagent_header *h, int field) { return h->present >> field & 1; }

// Writes every field that was found, in the order of their numbers.
static size_t write_again(
    uint8_t *to, const uint8_t *text, size_t size, const struct coagent_header *h) {
  uint8_t *at = to;
  *at++ = '{';
  for (int field = 0; field < COAGENT_FIELDS; field++) {
    if (!has(h, field)) continue;
    if (at > to + 1) *at++ = ',';
    at += sprintf((char *)at, "\"%s\":", coagent_field_name(field));
    if (field < COAGENT_STRINGS) {
      must_be_inside(text, size, h->strings[field]);
      at = put_string(at, h->strings[field]);
    } else if (field < COAGENT_INTEGERS_END) {
      uint64_t value = h->integers[field - COAGENT_STRINGS];
      assert(value <= COAGENT_INTEGER_MAX);
      at += sprintf((char *)at, "%llu", (unsigned long long)value);
    } else if (field < COAGENT_BOOLEANS_END) {
      const char *word = h->truths >> field & 1 ? "true" : "false";
      at = put(at, word, strlen(word));
    } else {
      struct coagent_slice object = h->objects[field - COAGENT_BOOLEANS_END];
      must_be_inside(text, size, object);
      assert(object.start[0] == '{' && object.start[object.length - 1] == '}');
      at = put(at, object.start, object.length);
    }
  }
  *at++ = '}';
  return (size_t)(at - to);
}

static void must_equal(struct coagent_slice a, struct coagent_slice b) {
  assert(a.length == b.length && !memcmp(a.start, b.start, a.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
  // Exactly as long as the input, so that the sanitizer sees one byte too far.
  uint8_t *text = malloc(size);
  struct coagent_header first, second;
  if (size) memcpy(text, input, size);
  int fault = coagent_header_scan(text, size, &first);
  assert(fault >= COAGENT_HEADER_OK && fault <= COAGENT_HEADER_TRAILING);
  if (fault == COAGENT_HEADER_OK) {
    assert(first.op >= COAGENT_OP_MISSING && first.op <= COAGENT_OP_SPLICE);
    assert(first.wrong_field < 0 || !has(&first, first.wrong_field));
    uint8_t *again = malloc(size * ESCAPED_MAX + COAGENT_FIELDS * 64);
    size_t length = write_again(again, text, size, &first);
    assert(coagent_header_scan(again, length, &second) == COAGENT_HEADER_OK);
    assert(second.present == first.present && second.truths == first.truths);
    assert(second.op == first.op && second.wrong_field < 0);
    for (int field = 0; field < COAGENT_FIELDS; field++) {
      if (!has(&first, field)) continue;
      if (field < COAGENT_STRINGS) must_equal(first.strings[field], second.strings[field]);
      else if (field < COAGENT_INTEGERS_END)
        assert(first.integers[field - COAGENT_STRINGS] == second.integers[field - COAGENT_STRINGS]);
      else if (field >= COAGENT_BOOLEANS_END)
        must_equal(first.objects[field - COAGENT_BOOLEANS_END],
                 second.objects[field - COAGENT_BOOLEANS_END]);
    }
    free(again);
  }
  free(text);
  return 0;
}
