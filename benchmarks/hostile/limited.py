"""Set limits on this process and become cr-audit: ``python limited.py FAULT ARGUMENTS...``."""

import os
import resource
import signal
import sys

LIMIT_BYTES = 8_000_000_000

fault, *arguments = sys.argv[1:]
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
