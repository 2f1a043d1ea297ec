"""``python -m parksim`` is ``parksim``."""

import sys

from parksim.cli import main

if __name__ == "__main__":
    sys.exit(main())
