"""A comment or the settings try to silence a problem that makes a file useless.

Such a file is not read, whatever is said about the problem: there is nothing to serve in its place.
"""

from __future__ import annotations

ID = "firm-rule"
SEVERITY = "error"
_SETTINGS = """\
environments:
  production: {{}}
check:
  severity:
    {}: warning{}
"""
BAD = {"flags/flagctl.yaml": _SETTINGS.format("yaml-syntax", "    # <- always an error")}
GOOD = {"flags/flagctl.yaml": _SETTINGS.format("expired", "")}
