"""Two trees: what changes between them, for whom, and who has to approve.

plan        the plan: per environment and flag, the worst first
touched     which flags a change touches, requirements and segments followed
diff        two flags, segments, attributes or settings to the changes between them
parts       changes inside a rule
change      one change, and how its parts are said
compare     two environments, or one at two moments (`diff`)
drift       how far an environment lags behind (`drift`)

impact      the blast radius: who moves from which variant to which (docs/decisions/0023-the-blast-radius-is-algebra.md)
paths       the ways through a flag at one time
joint       the ways before and the ways after, side by side
conditions  conditions as sets: the same, following, exclusive
shares      shares of people, from intervals of buckets
sentences   a blast radius in words
people      contexts from a file; population counts what becomes of them
population  both sides evaluated for real contexts
lints       what is worth a second look

approve     which approvals a change needs, and has
codeowners  CODEOWNERS as text
document    a plan as JSON
markdown    a plan as a pull request's comment
"""
