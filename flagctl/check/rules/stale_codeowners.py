"""CODEOWNERS asks other people than owners and settings say.

`flagctl codeowners` writes its part from the owners of flags and from the approvals in settings; the forge's branch
protection then asks the same people as `flagctl approvals`. Found only where the file has that part.
"""

from __future__ import annotations

ID = "stale-codeowners"
SEVERITY = "error"
BAD = None
GOOD = None
