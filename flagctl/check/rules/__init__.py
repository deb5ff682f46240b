"""What can be wrong, one file per rule.

A rule's file holds its why (the docstring, which `flagctl rule show` prints), `ID`, `SEVERITY`, `BAD` and `GOOD`
examples, and functions `check_flag`, `check_segment`, `check_conditions` (of flags and segments alike),
`check_environment` or `check_repository`, which are given a view, and the time, and yield problems. The line of
`BAD` that the problem points at carries a comment that begins with `# <-`.
"""
