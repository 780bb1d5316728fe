"""`python -m patrolvision.cli`."""

import sys

from patrolvision.cli import main

if __name__ == "__main__":
    sys.exit(main())
