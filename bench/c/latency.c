#include "latency.h"

#include <stdlib.h>

void latency_add(Latencies *latencies, uint64_t ns) {
  if (latencies->count == latencies->room) {
    latencies->room = latencies->room ? latencies->room * 2 : 65536;
    latencies->ns = realloc(latencies->ns, latencies->room * sizeof *latencies->ns);
    if (!latencies->ns) abort();
  }
  latencies->ns[latencies->count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

void latency_sort(Latencies *latencies) {
  if (latencies->count) qsort(latencies->ns, latencies->count, sizeof *latencies->ns, ascending);
}

double latency_us(const Latencies *latencies, double percent) {
  if (latencies->count == 0) return 0;
  size_t at = (size_t)(percent / 100 * (double)(latencies->count - 1) + 0.5);
  return latencies->ns[at] / 1000.0;
}
