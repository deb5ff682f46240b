"""A comment or the settings name a rule that there is not.

`# flagctl: allow RULE-ID — reason` and `check.severity` in `flags/flagctl.yaml` name rules by the ids that
`flagctl rule list` shows.
"""

from __future__ import annotations

ID = "unknown-rule"
SEVERITY = "error"
_SETTINGS = """\
environments:
  production: {{}}
check:
  severity:
    {}: error{}
"""
BAD = {"flags/flagctl.yaml": _SETTINGS.format("unused-segmnet", "    # <- mistyped")}
GOOD = {"flags/flagctl.yaml": _SETTINGS.format("unused-segment", "")}
