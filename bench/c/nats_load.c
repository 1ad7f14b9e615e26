// Request and reply over nats-server with its C client: the same work as `load`.
//
//   nats_load host   --url nats://127.0.0.1:4222
//   nats_load caller --url U --depth 64 --size 16 --seconds 1 --warmup 0.2
//
// `--asap` makes the client write each message at once instead of leaving it to its flusher
// thread: better for one in flight, often worse for many. The runner takes the better.
#include <getopt.h>
#include <nats/nats.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"

enum { slots = 65536, wait_ms = 10000 };

typedef struct {
  const char *url;
  size_t depth, size;
  double seconds, warmup_seconds;
  bool asap;
} Options;

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void check(natsStatus status, const char *what) {
  if (status == NATS_OK) return;
  fprintf(stderr, "nats_load: %s: %s\n", what, natsStatus_GetText(status));
  exit(1);
}

static natsConnection *open_connection(const Options *options) {
  natsOptions *settings;
  natsConnection *connection;
  check(natsOptions_Create(&settings), "options");
  check(natsOptions_SetURL(settings, options->url), "url");
  check(natsOptions_SetSendAsap(settings, options->asap), "asap");
  check(natsConnection_Connect(&connection, settings), "connect");
  return connection;
}

static int run_host(const Options *options) {
  natsConnection *connection = open_connection(options);
  natsSubscription *requests;
  check(natsConnection_SubscribeSync(&requests, connection, "bench.echo"), "subscribe");
  check(natsConnection_Flush(connection), "flush");
  puts("ready");
  fflush(stdout);
  for (;;) {
    natsMsg *message;
    natsStatus status = natsSubscription_NextMsg(&message, requests, wait_ms);
    if (status == NATS_TIMEOUT) continue;
    if (status != NATS_OK) return 0;  // the server is gone
    status = natsConnection_Publish(
      connection, natsMsg_GetReply(message), natsMsg_GetData(message),
      natsMsg_GetDataLength(message));
    check(status, "reply");
    natsMsg_Destroy(message);
  }
}

static int run_caller(const Options *options) {
  static uint64_t began_ns[slots];
  natsConnection *connection = open_connection(options);
  natsSubscription *replies;
  natsInbox *inbox;
  char pattern[256], reply[256];
  char *content = malloc(options->size + 1);
  memset(content, 'x', options->size);
  check(natsInbox_Create(&inbox), "inbox");
  snprintf(pattern, sizeof pattern, "%s.*", inbox);
  check(natsConnection_SubscribeSync(&replies, connection, pattern), "subscribe");
  check(natsConnection_Flush(connection), "flush");
  Latencies latencies = {0};
  uint64_t from_ns = clock_ns() + (uint64_t)(options->warmup_seconds * 1e9);
  uint64_t until_ns = from_ns + (uint64_t)(options->seconds * 1e9), last_ns = from_ns;
  uint64_t next = 0;
  size_t open = 0, inbox_count = strlen(inbox);
  for (;;) {
    uint64_t now = clock_ns();
    while (open < options->depth && now < until_ns) {
      snprintf(reply, sizeof reply, "%s.%u", inbox, (unsigned)(next % slots));
      began_ns[next++ % slots] = now;
      open++;
      natsStatus status = natsConnection_PublishRequest(
        connection, "bench.echo", reply, content, (int)options->size);
      check(status, "request");
    }
    if (open == 0) break;
    natsMsg *message;
    check(natsSubscription_NextMsg(&message, replies, wait_ms), "reply");
    open--;
    now = clock_ns();
    if ((size_t)natsMsg_GetDataLength(message) != options->size) {
      fprintf(stderr, "nats_load: another content came back\n");
      return 1;
    }
    unsigned slot = (unsigned)strtoul(natsMsg_GetSubject(message) + inbox_count + 1, NULL, 10);
    natsMsg_Destroy(message);
    if (now < from_ns || now > until_ns) continue;
    latency_add(&latencies, now - began_ns[slot % slots]);
    last_ns = now;
  }
  double seconds = (double)(last_ns - from_ns) / 1e9;
  latency_sort(&latencies);
  printf(
    "{\"calls\":%zu,\"seconds\":%.3f,\"calls_per_s\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,"
    "\"p99_us\":%.1f,\"max_us\":%.1f,\"errors\":0}\n",
    latencies.count, seconds, seconds > 0 ? (double)latencies.count / seconds : 0,
    latency_us(&latencies, 50), latency_us(&latencies, 90), latency_us(&latencies, 99),
    latency_us(&latencies, 100));
  return 0;
}

int main(int argc, char **argv) {
  enum { url, depth, size, seconds, warmup, asap };
  static const struct option names[] = {
    {"url", 1, 0, url}, {"depth", 1, 0, depth}, {"size", 1, 0, size}, {"seconds", 1, 0, seconds},
    {"warmup", 1, 0, warmup}, {"asap", 0, 0, asap}, {0, 0, 0, 0},
  };
  Options options = {.url = "nats://127.0.0.1:4222", .depth = 1, .size = 16, .seconds = 1};
  int option;
  while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
    switch (option) {
    case url: options.url = optarg; break;
    case depth: options.depth = strtoul(optarg, NULL, 10); break;
    case size: options.size = strtoul(optarg, NULL, 10); break;
    case seconds: options.seconds = strtod(optarg, NULL); break;
    case warmup: options.warmup_seconds = strtod(optarg, NULL); break;
    case asap: options.asap = true; break;
    default: return 2;
    }
  }
  alarm(600);  // nothing here may outlive the run that started it
  if (optind + 1 == argc && strcmp(argv[optind], "host") == 0) return run_host(&options);
  if (optind + 1 == argc && strcmp(argv[optind], "caller") == 0) return run_caller(&options);
  fprintf(stderr, "usage: nats_load host|caller --url U --depth N --size BYTES --seconds S\n");
  return 2;
}
