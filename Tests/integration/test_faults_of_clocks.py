"""The machine's clock jumps, by hours and both ways: nothing that the daemon times minds."""

from __future__ import annotations

import json
import mmap
import struct
import subprocess
from pathlib import Path

import pytest
from processes import Daemon, clean_environment
from raw_peer import RawPeer

DAY_S = 86_400

# The clock of the day, and nothing else, as a file says: seconds that are added to it.
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *offset;

__attribute__((constructor)) static void open_offset(void) {
  int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
  offset = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, time);
  if (offset && clock == CLOCK_REALTIME) time->tv_sec += *offset;
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return result;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}
"""


class Clock:
    """A clock of the day for one daemon."""

    def __init__(self, folder: Path) -> None:
        (folder / "shim.c").write_text(SHIM)
        shim = folder / "shim.so"
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-o", str(shim), str(folder / "shim.c"), "-ldl"], check=True
        )
        path = folder / "offset"
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)
        self.environment = clean_environment(LD_PRELOAD=str(shim), CLOCK_OFFSET=str(path))

    def jump(self, seconds: int) -> None:
        """It shows so many seconds more than it should, from now on."""
        self._offset[:] = struct.pack("=q", seconds)


@pytest.mark.parametrize("jumps", [(DAY_S, -DAY_S), (-DAY_S, DAY_S)], ids=["ahead", "back"])
def test_jumps_of_the_clock_neither_end_nor_keep_anything(
    folder: Path, jumps: tuple[int, int]
) -> None:
    clock = Clock(folder)
    daemon = Daemon(
        folder, "--heartbeat-ms-tcp", "5000", "--log-level", "debug", environment=clock.environment
    )
    with (
        RawPeer(daemon.tcp_url, Daemon.TOKEN, name="host") as host,
        RawPeer(daemon.unix_url, name="caller") as caller,
    ):
        host.send({"op": "register", "id": 1, "name": "slow", "idle_ms": 60_000})
        host.expect("ok", id=1)
        caller.send({"op": "call", "id": 1, "to": "slow:s", "timeout_ms": 60_000})
        host.expect("call", to="slow:s")
        seen = {day_of_log(daemon, "first")}
        for number, jump in enumerate(jumps):
            clock.jump(jump)
            # That the clock has jumped shows where times of the day are for people.
            seen.add(day_of_log(daemon, f"after {number}"))
            # A short time passes as ever, and the long one has not.
            ident = 3 + 2 * number
            caller.send({"op": "call", "id": ident, "to": "slow", "timeout_ms": 100})
            caller.expect("error", id=ident, reason="deadline")
            host.expect("call", to="slow")
            host.expect("cancel", reason="deadline")
            caller.ping()
            host.ping()
        host.send({"op": "data", "id": 2, "end": True}, b"1")
        assert caller.expect("data", id=1, end=True)[1] == b"1"
        assert len(seen) == 3, seen
    assert daemon.end() == 0


def day_of_log(daemon: Daemon, name: str) -> str:
    """The date of what is logged about a connection that comes now."""
    RawPeer(daemon.unix_url, name=name).close()
    while True:
        line = daemon.err.next()
        assert line is not None
        if name in line:
            day: str = json.loads(line)["time"][:10]
            return day
