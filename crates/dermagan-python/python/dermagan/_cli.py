"""The command `dermagan`, as the wheel installs it."""

import signal
import sys

from . import _dermagan


def main() -> None:
    """Runs the command line of this process, and ends it."""
    # Python's own handler only notes a Ctrl-C, and would never come to act on it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _dermagan.cli(["dermagan", *sys.argv[1:]])
