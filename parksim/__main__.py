"""``python -m parksim`` is ``parksim``: the command, with Ctrl-C answered from the first import to the last word."""

import signal
import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from parksim.cli.main import main as command  # noqa: PLC0415 - takes half a second, in which Ctrl-C may come
    except KeyboardInterrupt:
        sys.stderr.write("parksim: interrupted\n")
        return 130
    try:
        return command()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said; what Python does at its end takes no time


if __name__ == "__main__":
    sys.exit(main())
