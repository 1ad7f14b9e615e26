// The load generator: speaks the coagent protocol to a sidecar, or sends the same frames through
// the raw relay.
//
//   load host   --url U                      serves bench.echo and bench.stream
//   load delegator --url U --agent A --to B   serves A.echo and A.stream with what B's reply
//   load caller --url U --depth 64 ...       calls, and prints one line of JSON
//   load idle   --url U --count 10000        opens connections and keeps them
//   load agents --url U --count 10000        registers names and keeps them
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char usage[] =
  "usage: load host|delegator|caller|idle|agents --url unix:/path|tcp://host:port [--token T]\n"
  "  host, caller:  --relay PAIR\n"
  "  host, caller:  --agent NAME (bench)  --names N\n"
  "  caller:  --depth N  --size BYTES  --calls N | --seconds S  --warmup S  --to ADDRESS --type T\n"
  "           --content TEXT  --parts N --part-size BYTES  --window BYTES  --sessions N\n"
  "           --timeout-ms N  --pause-ms N\n"
  "  delegator:  --agent NAME  --to NAME  --copy\n"
  "  idle, agents:  --count N   agents:  --namespaces N\n";

static uint64_t number(const char *text) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (errno || end == text || *end) fail("not a number: %s", text);
  return value;
}

static double seconds(const char *text) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || value < 0 || value > 3600) fail("not a number of seconds: %s", text);
  return value;
}

static void read_options(int argc, char **argv, Options *options) {
  enum { url, token, relay, agent, to, type, content, size, depth, calls, time, warmup, parts,
         part_size, window, sessions, agents, timeout, pause, count, namespaces,
         copy };
  static const struct option names[] = {
    {"url", 1, 0, url}, {"token", 1, 0, token}, {"relay", 1, 0, relay}, {"agent", 1, 0, agent},
    {"to", 1, 0, to}, {"type", 1, 0, type}, {"content", 1, 0, content}, {"size", 1, 0, size},
    {"depth", 1, 0, depth}, {"calls", 1, 0, calls}, {"seconds", 1, 0, time},
    {"warmup", 1, 0, warmup}, {"parts", 1, 0, parts}, {"part-size", 1, 0, part_size},
    {"window", 1, 0, window}, {"sessions", 1, 0, sessions}, {"names", 1, 0, agents},
    {"timeout-ms", 1, 0, timeout}, {"pause-ms", 1, 0, pause}, {"count", 1, 0, count},
    {"namespaces", 1, 0, namespaces}, {"copy", 0, 0, copy}, {0, 0, 0, 0},
  };
  int option;
  while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
    switch (option) {
    case url: options->peer.url = optarg; break;
    case token: options->peer.token = optarg; break;
    case relay: options->peer.pair = (int)number(optarg); break;
    case agent: options->agent = optarg; break;
    case to: options->to = optarg; break;
    case type: options->type = optarg; break;
    case content: options->content = optarg; break;
    case size: options->size = number(optarg); break;
    case depth: options->depth = number(optarg); break;
    case calls: options->calls = number(optarg); break;
    case time: options->seconds = seconds(optarg); break;
    case warmup: options->warmup_seconds = seconds(optarg); break;
    case parts: options->parts = number(optarg); break;
    case part_size: options->part_size = number(optarg); break;
    case window: options->window = number(optarg); break;
    case sessions: options->sessions = number(optarg); break;
    case agents: options->names = number(optarg); break;
    case timeout: options->timeout_ms = number(optarg); break;
    case pause: options->pause_ms = number(optarg); break;
    case count: options->count = number(optarg); break;
    case copy: options->copies = true; break;
    case namespaces: options->namespaces = number(optarg); break;
    default: fputs(usage, stderr); exit(2);
    }
  }
  if (!options->peer.url || optind != argc) {
    fputs(usage, stderr);
    exit(2);
  }
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fputs(usage, stderr);
    return 2;
  }
  Options options = {
    .peer.pair = -1, .agent = "bench", .type = "Ping", .size = 16, .depth = 1, .seconds = 1,
    .part_size = 5, .timeout_ms = 30000, .count = 1, .namespaces = 100,
  };
  read_options(argc - 1, argv + 1, &options);
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  alarm(600);  // nothing here may outlive the run that started it
  const char *role = argv[1];
  if (strcmp(role, "host") == 0) return run_host(&options);
  if (strcmp(role, "delegator") == 0) return run_delegator(&options);
  if (strcmp(role, "caller") == 0) return run_caller(&options);
  if (strcmp(role, "idle") == 0) return run_idle(&options);
  if (strcmp(role, "agents") == 0) return run_agents(&options);
  fputs(usage, stderr);
  return 2;
}
