// The limit: a libuv relay over a Unix socket that looks at nothing.
//
// A connection's first byte is `pair * 2 + role` (role 0 calls, 1 hosts). Once both ends of a pair
// are there, each is sent one byte, and from then on what one writes the other reads. One loop, one
// thread, one read buffer; what a turn read is written in that turn, with one write.
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

enum {
  pairs_max = 128,
  read_bytes = 256 * 1024,
  pending_bytes_max = 4 * 1024 * 1024,  // above this the other end is not read: memory is bounded
};

typedef struct End {
  uv_pipe_t pipe;
  uv_write_t write;
  struct End *peer;
  int slot;  // pair * 2 + role, or -1 before the first byte
  bool writing;
  bool paused;
  char *pending;  // what the socket did not take, in the order it came
  size_t pending_used, pending_room;
  char *in_flight;  // the block that `write` is sending
} End;

static End *ends[pairs_max * 2];
static char read_buffer[read_bytes];

static void die(const char *what, int status) {
  fprintf(stderr, "relay: %s: %s\n", what, uv_strerror(status));
  exit(1);
}

static void did_close(uv_handle_t *handle) {
  End *end = handle->data;
  free(end->pending);
  free(end->in_flight);
  free(end);
}

static void close_end(End *end) {
  if (uv_is_closing((uv_handle_t *)&end->pipe)) return;
  if (end->slot >= 0) ends[end->slot] = NULL;
  End *peer = end->peer;
  end->peer = NULL;
  if (peer) {
    peer->peer = NULL;
    close_end(peer);
  }
  uv_close((uv_handle_t *)&end->pipe, did_close);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)handle;
  (void)suggested;
  *buffer = uv_buf_init(read_buffer, sizeof read_buffer);
}

static void did_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static void write_pending(End *end);

static void did_write(uv_write_t *request, int status) {
  End *end = request->data;
  free(end->in_flight);
  end->in_flight = NULL;
  end->writing = false;
  if (status < 0) {
    close_end(end);
    return;
  }
  write_pending(end);
  if (end->peer && end->peer->paused && !end->writing) {
    end->peer->paused = false;
    uv_read_start((uv_stream_t *)&end->peer->pipe, give_buffer, did_read);
  }
}

static void write_pending(End *end) {
  if (end->writing || end->pending_used == 0) return;
  uv_buf_t buffer = uv_buf_init(end->pending, (unsigned)end->pending_used);
  end->in_flight = end->pending;
  end->pending = NULL;
  end->pending_used = end->pending_room = 0;
  end->writing = true;
  end->write.data = end;
  int status = uv_write(&end->write, (uv_stream_t *)&end->pipe, &buffer, 1, did_write);
  if (status < 0) close_end(end);
}

static void keep(End *end, const char *bytes, size_t count) {
  if (end->pending_used + count > end->pending_room) {
    end->pending_room = (end->pending_used + count) * 2;
    end->pending = realloc(end->pending, end->pending_room);
    if (!end->pending) abort();
  }
  memcpy(end->pending + end->pending_used, bytes, count);
  end->pending_used += count;
}

static void pass_on(End *from, char *bytes, size_t count) {
  End *to = from->peer;
  if (!to->writing && to->pending_used == 0) {
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)count);
    int written = uv_try_write((uv_stream_t *)&to->pipe, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) {
      close_end(to);
      return;
    }
    if (written > 0) {
      bytes += written;
      count -= (size_t)written;
    }
  }
  if (count == 0) return;
  keep(to, bytes, count);
  write_pending(to);
  if (to->pending_used > pending_bytes_max) {
    from->paused = true;
    uv_read_stop((uv_stream_t *)&from->pipe);
  }
}

static void did_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
  End *end = stream->data;
  if (count == 0) return;
  if (count < 0 || (end->slot >= 0 && !end->peer)) {
    close_end(end);
    return;
  }
  if (end->slot >= 0) {
    pass_on(end, buffer->base, (size_t)count);
    return;
  }
  int slot = (uint8_t)buffer->base[0];
  if (count != 1 || ends[slot]) {
    close_end(end);
    return;
  }
  end->slot = slot;
  ends[slot] = end;
  End *peer = ends[slot ^ 1];
  if (!peer) return;
  end->peer = peer;
  peer->peer = end;
  pass_on(end, "r", 1);
  pass_on(peer, "r", 1);
}

static void did_connect(uv_stream_t *server, int status) {
  if (status < 0) return;
  End *end = calloc(1, sizeof *end);
  if (!end) abort();
  end->slot = -1;
  uv_pipe_init(server->loop, &end->pipe, 0);
  end->pipe.data = end;
  if (uv_accept(server, (uv_stream_t *)&end->pipe) < 0) {
    close_end(end);
    return;
  }
  uv_read_start((uv_stream_t *)&end->pipe, give_buffer, did_read);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: relay SOCKET\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  umask(077);
  uv_loop_t *loop = uv_default_loop();
  uv_pipe_t server;
  uv_pipe_init(loop, &server, 0);
  int status = uv_pipe_bind(&server, argv[1]);
  if (status < 0) die(argv[1], status);
  status = uv_listen((uv_stream_t *)&server, 128, did_connect);
  if (status < 0) die("listen", status);
  puts("ready");
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
