// The roles of the load generator and what the command line tells them.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "connection.h"

typedef struct {
  Peer peer;
  const char *agent;     // the agent's name: `bench` serves bench.echo and bench.stream
  const char *to;        // caller: the address; by default <agent>.echo, or <agent>.stream
                         // delegator: whom it leaves its calls to; by default bench
  const char *type;      // caller: the message's type
  const char *content;   // caller: this content, and no check that it comes back
  uint64_t size;         // caller: bytes of content
  uint64_t depth;        // caller: calls in flight
  uint64_t calls;        // caller: stop after so many, 0: after `seconds`
  double seconds;        // caller: measured time
  double warmup_seconds; // caller: before it, not counted
  uint64_t parts;        // caller: parts per streamed call; 0: unary calls
  uint64_t part_size;    // caller: bytes of each part
  uint64_t window;       // caller: of each call's replies; 0: the protocol's 1 MiB
  uint64_t sessions;     // caller: cycle over so many sessions of `to`; 0: stateless
  uint64_t names;        // host: serve <agent>.echo.n0 … too; caller: cycle over so many of them
  uint64_t timeout_ms;   // caller: of each call
  uint64_t pause_ms;     // caller: before the first read, the slow reader
  bool copies;           // delegator: reads replies and writes them, and splices nothing
  uint64_t count;        // idle: connections; agents: names
  uint64_t namespaces;   // agents: spread over so many
} Options;

/// Each runs until its work is done or, all but the caller, the other end or stdin closes.
int run_host(const Options *options);
int run_delegator(const Options *options);
int run_caller(const Options *options);
int run_idle(const Options *options);
int run_agents(const Options *options);

#endif
