// Latencies of single calls, kept whole and sorted once at the end.
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t *ns;
  size_t count, room;
} Latencies;

void latency_add(Latencies *latencies, uint64_t ns);

void latency_sort(Latencies *latencies);

/// The percentile in µs, of sorted latencies; 0 when there are none.
double latency_us(const Latencies *latencies, double percent);

#endif
