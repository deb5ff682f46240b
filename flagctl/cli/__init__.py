"""The command line: typer and rich live here and nowhere else, and nothing below prints.

main          the edge: whatever comes out of a command becomes an exit code
exits         exit codes
app           the table of commands; a command's module is imported when it runs
options       options that several commands share
commands/     one a command: it opens the project, calls one function, shows the result
formats/      results as text, JSON and the rest, one file a kind of result
output        the two streams, colour, tables, progress, questions
paging        long output through the person's pager
session       what a command is given: repository, clock, output
travelling    `--at`, and repositories without a work tree
person        whom a question about the past is about
versions      versions of flags beside what is shown or built
commits       snapshots as commits say them

approving     one run of `approvals`
asking        one run of `eval`
auditing      one run of `log`
batching      one run of `eval --batch`
breakglass    one run of `kill`
building      one run of `build`
comparing     one run of `diff`
editing       what `set`, `new`, `edit`, `rename` and `remove` share
effective     one run of `config show`
examination   one run of `doctor`
hosting       what `init` adds for GitHub
keyring       what the `key` commands share
planning      one run of `plan`
preview       what `promote` and `rollback` show before they act
shipment      one run of `publish`
simulation    one run of `simulate`
standing      one run of `status` and `target list`
tour          one run of `tour`; tour_steps says what it shows
tour_steps    the steps of the tour, as data
verification  one run of `verify`
"""
