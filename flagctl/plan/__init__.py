"""Two trees: what changes between them, for whom, and who has to approve."""
