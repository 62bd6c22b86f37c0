# SPDX-License-Identifier: Apache-2.0
"""The report of `make bench`: what is measured, one file a section, and how it is written down."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in (ROOT / "bench", ROOT / "tests" / "system"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
