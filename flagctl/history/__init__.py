"""Everything that touches Git: commits that change flags, the log, and trees of the past.

Git itself:
git         git commands, run
travel      the files of a commit, read without checking it out
links       symbolic links among them
moment      a date, «3 days ago», a revision or @v7 as a commit
graph       the commit-graph with changed-path filters
signatures  whether commits are signed
leaks       private keys that were committed

The past, from commits to answers (docs/decisions/0015-what-a-version-is.md):
touches     commits and the flag files each touched, streamed from `git log --raw`
pace        when commits touched each flag
trails      the commits that touched one file, through its moves, and its versions
chains      many files' changes, each behind the one before it, understood when asked
pasts       what each commit made of one file
beneath     a flag's past together with its segments' and attributes'
ledger      all that ever happened, worked out once and kept in .git/flagctl
states      the states an environment went through
audit       `log`
verify      `log --verify`
blame       `blame`
why         `why` and `bisect`

Changes:
change      checked, written whole or not at all, committed
writer      one writer at a time; a killed one is cleaned up after
aside       a commit on a branch that is not checked out
propose     such a branch pushed, and its pull request
promote     `promote`
rollback    `rollback`
driver      the merge driver
owners      CODEOWNERS in its file
forge       what is asked of GitHub or GitLab; which one a repository uses
github      GitHub
gitlab      GitLab
"""
