"""Snapshot and context to answer. Applications import this room: it loads no YAML, Git, Typer or schema library.

evaluator    the readable evaluator, the six steps of docs/flags.md: what every other way to an answer is held to
operators    the operators of conditions
bucket       a salt and a value to one of 100,000 buckets
trace        every step of an evaluation, in words and with its place
context      contexts and previews as people type them
needs        what a flag reads of a context

engine       the generated evaluator: a snapshot to functions, each made when it is first asked for
codegen      a flag to the source of one Python function
expressions  conditions as Python expressions
runtime      the names that generated functions may use, and their code

batch/       the same answers for a file of contexts, a column at a time (polars)
simulate     synthetic people, and the split they get
"""
