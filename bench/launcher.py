"""Runs one command and prints what it took, as JSON; as small as python gets.

A child's peak memory counts from its fork, so a large parent would lend each of its children its own size.

    python -I -S launcher.py LOG COMMAND...
"""

import os
import sys
import time

log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
started = time.perf_counter()
child = os.posix_spawnp(
    sys.argv[2], sys.argv[2:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - started
code = os.waitstatus_to_exitcode(status)
print(f"[{code}, {wall}, {usage.ru_utime + usage.ru_stime}, {usage.ru_maxrss * 1024}]")
