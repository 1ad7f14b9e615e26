#ifndef COAGENT_CLIBUV_SHIM_H
#define COAGENT_CLIBUV_SHIM_H

// Everything here is either libuv itself or a system call whose C spelling Swift cannot import
// the same way on every platform.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "a uv_buf_t is an iovec");
_Static_assert(offsetof(uv_buf_t, base) == offsetof(struct iovec, iov_base), "base comes first");
_Static_assert(offsetof(uv_buf_t, len) == offsetof(struct iovec, iov_len), "then its length");

#if defined(__linux__)
// Declared here because _GNU_SOURCE would change structures that Swift's Glibc module has already
// defined without it.
extern int accept4(int, struct sockaddr *, socklen_t *, int);
#endif

// Laid out like Linux's struct ucred.
typedef struct {
  int pid;
  unsigned int uid;
  unsigned int gid;
} coagent_credentials;

// Returns 0, or a negative errno.
static inline int coagent_peer_credentials(int fd, coagent_credentials *out) {
#if defined(SO_PEERCRED)
  socklen_t size = sizeof *out;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &size) != 0) return -errno;
#else
  uid_t uid;
  gid_t gid;
  if (getpeereid(fd, &uid, &gid) != 0) return -errno;
  out->uid = uid;
  out->gid = gid;
  out->pid = 0;
#endif
  return 0;
}

// A non-blocking, close-on-exec socket. Returns the descriptor, or a negative errno.
static inline int coagent_socket(int family) {
#if defined(SOCK_CLOEXEC)
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
#else
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) return -errno;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
#endif
}

// Returns the accepted descriptor, or a negative errno (-EAGAIN when nobody waits).
static inline int coagent_accept(int listening) {
#if defined(__linux__)
  int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return fd < 0 ? -errno : fd;
#else
  int fd = accept(listening, NULL, NULL);
  if (fd < 0) return -errno;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
#endif
}

static inline size_t coagent_unix_path_max(void) {
  return sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
}

// The caller has checked the length of the path.
static inline socklen_t coagent_unix_address(const char *path, struct sockaddr_storage *out) {
  struct sockaddr_un *address = (struct sockaddr_un *)out;
  size_t length = strlen(path);
  memset(out, 0, sizeof *out);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, length + 1);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

static inline int coagent_connect(int fd, const struct sockaddr_storage *to, socklen_t length) {
  return connect(fd, (const struct sockaddr *)to, length) == 0 ? 0 : -errno;
}

static inline int coagent_bind(int fd, const struct sockaddr_storage *to, socklen_t length) {
  return bind(fd, (const struct sockaddr *)to, length) == 0 ? 0 : -errno;
}

// Binds a Unix socket that only its owner may use, from the first moment on: a chmod after the bind
// would leave one in which anyone may connect. Linux gives the file the mode of the descriptor;
// elsewhere the mask does it, which other threads of the process see meanwhile.
static inline int coagent_bind_private(int fd, const struct sockaddr_storage *to, socklen_t size) {
#if defined(__linux__)
  if (fchmod(fd, 0600) != 0) return -errno;
  return coagent_bind(fd, to, size);
#else
  mode_t before = umask(0177);
  int status = coagent_bind(fd, to, size);
  umask(before);
  return status;
#endif
}

static inline int coagent_listen(int fd, int backlog) {
  return listen(fd, backlog) == 0 ? 0 : -errno;
}

static inline int coagent_set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

static inline int coagent_local_address(int fd, struct sockaddr_storage *out) {
  socklen_t size = sizeof *out;
  memset(out, 0, sizeof *out);
  return getsockname(fd, (struct sockaddr *)out, &size) == 0 ? 0 : -errno;
}

static inline int coagent_peer_address(int fd, struct sockaddr_storage *out) {
  socklen_t size = sizeof *out;
  memset(out, 0, sizeof *out);
  return getpeername(fd, (struct sockaddr *)out, &size) == 0 ? 0 : -errno;
}

// Has the system send this process a signal when the thread that started it ends; elsewhere than on
// Linux nothing does that. Survives an exec. Returns 0, or a negative errno.
static inline int coagent_signal_at_parents_end(int signal) {
#if defined(__linux__)
  return prctl(PR_SET_PDEATHSIG, signal) == 0 ? 0 : -errno;
#else
  (void)signal;
  return 0;
#endif
}

// libuv writes to sockets without MSG_NOSIGNAL. A write to a closed peer raises SIGPIPE in the
// thread that writes, so it is enough, and no concern of the rest of the process, to block it
// there.
static inline void coagent_block_sigpipe(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

#endif
