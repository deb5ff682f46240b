"""Two flags, or two segments, of an environment have one name, case aside.

Folders are for ownership and do not count; and on some disks `Gallery.yaml` and `gallery.yaml` are one file.
"""

from __future__ import annotations

ID = "key-clash"
SEVERITY = "error"
FIRM = True
BAD = {
    "flags/production/growth/Gallery.yaml": "description: Show the gallery.\nowner: {team: growth}\n",
    "flags/production/web/gallery.yaml": "description: The same key again.    # <- again\nowner: {team: web}\n",
}
GOOD = {
    "flags/production/growth/gallery.yaml": "description: Show the gallery.\nowner: {team: growth}\n",
    "flags/production/web/gallery-web.yaml": "description: Another key.\nowner: {team: web}\n",
}
