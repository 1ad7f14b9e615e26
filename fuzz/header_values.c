// Prints what the header scanner found, for comparison with other JSON parsers.
//
// stdin: headers, each behind its length as a big-endian 32-bit integer. stdout: a line for each,
// `fault <number>` or `ok <wrong field or -> <op> <field>=<value>…`: strings and objects in
// hexadecimal, integers in decimal, booleans as words. A word that is empty is left empty.
#include <stdio.h>
#include <stdlib.h>

#include "header_parser.h"

static void print_hex(struct coagent_slice slice) {
  for (size_t i = 0; i < slice.length; i++) printf("%02x", slice.start[i]);
}

static void print_header(const struct coagent_header *h) {
  printf("ok %s %d", h->wrong_field < 0 ? "-" : coagent_field_name(h->wrong_field), h->op);
  for (int field = 0; field < COAGENT_FIELDS; field++) {
    if (!(h->present >> field & 1)) continue;
    printf(" %s=", coagent_field_name(field));
    if (field < COAGENT_STRINGS) print_hex(h->strings[field]);
    else if (field < COAGENT_INTEGERS_END)
      printf("%llu", (unsigned long long)h->integers[field - COAGENT_STRINGS]);
    else if (field < COAGENT_BOOLEANS_END) printf(h->truths >> field & 1 ? "true" : "false");
    else print_hex(h->objects[field - COAGENT_BOOLEANS_END]);
  }
  printf("\n");
}

int main(void) {
  uint8_t prefix[4];
  while (fread(prefix, 1, 4, stdin) == 4) {
    size_t length = (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16
                    | (size_t)prefix[2] << 8 | prefix[3];
    uint8_t *text = malloc(length ? length : 1);
    struct coagent_header header;
    if (!text || fread(text, 1, length, stdin) != length) return 2;
    int fault = coagent_header_scan(text, length, &header);
    if (fault) printf("fault %d\n", fault);
    else print_header(&header);
    free(text);
  }
  return 0;
}
