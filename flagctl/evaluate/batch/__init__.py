"""Many contexts at once, as columns of a table.

Needs `pip install "flagctl[batch]"`; nothing else in this room loads it.
"""
