"""``python -m rustok_daemon``."""

import sys

from rustok_daemon.cli import main

sys.exit(main())
