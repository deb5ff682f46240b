"""YAML text to model and back: the one room that knows how flag files are spelled.

repository  a tree of files to a repository: everything, or one flag with what it needs
walk        which files there are, by their names
understand  one file's bytes to its part of the model: read, schema, parse
pieces      one version of a file after the other: what is spelled alike is read once
read        bytes to plain data, by yaml-rs; scrutiny says what is wrong where that refuses
scrutiny    the close look, by ruamel: slow, and it names the place
schema      data against schema/: a fast yes or no; validator and wording say what is wrong
validator   JSON Schema for one file at a time
wording     what a schema found, in words
parse       plain data to model
convert     percentages, times, durations, variants
policy      approvals, freezes and teams
cache       what files were understood as, kept in .git/flagctl
locate      line and column of a JSON pointer

changes     what `set` is asked for, as edits
typed       what people type for a value
edit        one value changed and nothing around it
marks       where each value of a text begins and ends
splice      how a value is replaced, inserted, deleted there
become      a text made to say other data, with as few edits as it takes
render      values as YAML text
order       the order of keys
fmt         the standard layout
merge       three-way merge by meaning
write       a file in its place: whole or not at all

newflag     the text of a new flag
moves       a flag renamed or removed
start       a flag repository begun or completed
templates   its files
workflows   GitHub's workflows for it
"""
