"""A file is not UTF-8, or begins with a byte-order mark.

Tools guess differently what other bytes mean, so two of them would read two different flags.
"""

from __future__ import annotations

ID = "yaml-encoding"
SEVERITY = "error"
FIRM = True
BAD = """\
description: Wünsche, im Jahr 1998 gespeichert: \udcfc    # <- not UTF-8
owner: {team: growth}
"""
GOOD = """\
description: Wünsche.
owner: {team: growth}
"""
