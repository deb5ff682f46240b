"""A number means different things to different readers of YAML.

Infinity and NaN have no place in JSON, integers beyond 2^53 lose digits in JavaScript, and `1_000`, `007` or `0b11` are
a number in one version of YAML and text in another.
"""

from __future__ import annotations

ID = "yaml-number"
SEVERITY = "error"
FIRM = True
BAD = """\
description: How many wishes a list may hold.
owner: {team: growth}
type: integer
variants:
  few: 10
  many: 1_000    # <- text in YAML 1.2, a number in YAML 1.1
off_variant: few
"""
GOOD = """\
description: How many wishes a list may hold.
owner: {team: growth}
type: integer
variants:
  few: 10
  many: 1000
off_variant: few
"""
