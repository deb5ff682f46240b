"""A file can't be read, or may not be.

It is missing, unreadable, no regular file, or a symbolic link that leads out of its environment: what an environment
serves must not depend on what lies elsewhere.
"""

from __future__ import annotations

ID = "file-access"
SEVERITY = "error"
FIRM = True
BAD = None
GOOD = None
