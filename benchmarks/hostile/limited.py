"""Run cr-audit under limits: ``python limited.py USED FAULT ARGUMENTS...``.

What it used goes to the file USED as JSON: status, peak resident bytes, processor seconds. The
kernel counts the memory of whoever started a process as its peak, so a process as small as this
one has to stand between a test run and what is measured.
"""

import json
import os
import resource
import signal
import sys

LIMIT_BYTES = 8_000_000_000


def become(fault: str, arguments: list[str]) -> None:
    """Set limits on this process and become cr-audit."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if fault == "RLIMIT_FSIZE":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    if fault == "closed":
        os.close(1)
    if fault == "no stderr":
        os.close(2)
    os.execv(sys.executable, [sys.executable, "-m", "cr_audit", *arguments])


def main() -> None:
    """The child is cr-audit; a signal to stop is handed on to it."""
    used_file, fault, *arguments = sys.argv[1:]
    child = os.fork()
    if child == 0:
        become(fault, arguments)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status, used = os.wait4(child, 0)
    with open(used_file, "w") as out:
        json.dump([status, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime], out)


if __name__ == "__main__":
    main()
