"""Lines end as on Windows.

The file is read all the same, but edits from elsewhere change every line of it, and the diff hides what was meant.
"""

from __future__ import annotations

ID = "line-ends"
SEVERITY = "warning"
BAD = "description: Show the gallery.    # <- CR LF\r\nowner: {team: growth}\r\n"
GOOD = "description: Show the gallery.\nowner: {team: growth}\n"
