"""A file has a name or a place that means nothing.

A flag's key is its file's name: at most 128 letters, digits, dots, dashes and underscores, beginning with a letter or
digit. Files end in `.yaml`, and flags stand in an environment's folder. What is elsewhere is not read.
"""

from __future__ import annotations

ID = "file-name"
SEVERITY = "error"
BAD = {
    "flags/production/wish list.yaml": "description: A wishlist.    # <- a blank in its name\nowner: {team: growth}\n"
}
GOOD = {"flags/production/wish-list.yaml": "description: Show the wishlist.\nowner: {team: growth}\n"}
