"""`python -m countertop.cli`."""

import sys

from countertop.cli import main

sys.exit(main())
