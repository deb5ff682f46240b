"""Everything that touches Git: commits that change flags, the log, and trees of the past."""
