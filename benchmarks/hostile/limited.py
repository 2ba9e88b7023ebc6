"""Run cr-audit under limits: ``python limited.py USED FAULT ARGUMENTS...``.

What it used goes to the file USED as JSON: status, peak resident bytes, processor seconds. The
kernel counts the memory of whoever started a process as its peak, so a process as small as this
one has to stand between a test run and what is measured.
"""

import ctypes
import json
import os
import resource
import signal
import sys

LIMIT_BYTES = 8_000_000_000
LIMIT_SECONDS = 600
"""Of processor time."""
_PR_CAPBSET_DROP = 24
_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER = 1, 2, 3


def become(fault: str, arguments: list[str]) -> None:
    """Set limits on this process and become cr-audit."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # whoever runs in the background ignores some
    if hasattr(os, "getuid") and os.getuid() == 0:  # root may read and write what it likes
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER):
            prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if fault.endswith("unbuffered"):
        os.environ["PYTHONUNBUFFERED"] = "1"
    if fault.startswith("RLIMIT_FSIZE"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
    if fault == "closed":
        os.close(1)
    if fault == "no stderr":
        os.close(2)
    if fault == "no stdin":
        os.close(0)
    if fault == "no streams":
        os.closerange(0, 3)
    os.execv(sys.executable, [sys.executable, "-m", "cr_audit", *arguments])


def main() -> None:
    """The child is cr-audit; a signal to stop is handed on to it."""
    used_file, fault, *arguments = sys.argv[1:]
    child = os.fork()
    if child == 0:
        become(fault, arguments)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _: os.kill(child, got))
    with open(used_file + ".part", "w") as out:
        out.write(str(child))
    os.rename(used_file + ".part", used_file + ".started")
    _, status, used = os.wait4(child, 0)
    with open(used_file, "w") as out:
        json.dump([status, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime], out)


if __name__ == "__main__":
    main()
