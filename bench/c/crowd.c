// Crowds that do nothing: many idle connections, or many registered agents.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"

static int stay_until_stdin_closes(void) {
  puts("ready");
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {}
  return 0;
}

int run_idle(const Options *options) {
  for (uint64_t i = 0; i < options->count; i++) {
    Connection connection;
    connection_open(&connection, &options->peer, role_caller);
    free(connection.in.bytes);
    free(connection.out.bytes);
  }
  return stay_until_stdin_closes();
}

int run_agents(const Options *options) {
  enum { names_per_connection = 1000 };  // the protocol's limit
  Connection connection;
  for (uint64_t i = 0; i < options->count; i++) {
    if (i % names_per_connection == 0) connection_open(&connection, &options->peer, role_host);
    char rest[256];
    int count = snprintf(
      rest, sizeof rest, ",\"name\":\"crowd.n%llu.agent%llu\",\"description\":\"One of a crowd\"",
      (unsigned long long)(i % options->namespaces), (unsigned long long)i);
    uint64_t id = i % names_per_connection * 2 + 1;
    connection_put(&connection, "register", id, rest, (size_t)count, "[]", 2);
    if ((i + 1) % names_per_connection != 0 && i + 1 != options->count) continue;
    for (uint64_t n = 0; n <= i % names_per_connection; n++) {
      Frame frame = connection_await(&connection);
      if (frame.op != op_ok) fail("register: %.*s", (int)frame.header_count, frame.header);
    }
  }
  return stay_until_stdin_closes();
}
