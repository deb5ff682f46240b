"""Many contexts at once, as columns of a table.

Needs `pip install "flagctl[batch]"`; nothing else in this room loads it.

tables   a file of contexts to a file with answers, in chunks over all cores
sources  Parquet, CSV and JSON lines as frames
engine   the six steps of an evaluation, a column at a time
columns  a column and an operator to a mask
hashing  bucketing of whole columns
"""
