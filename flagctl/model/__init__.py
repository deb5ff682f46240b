"""What a flag is: frozen structs, no I/O, no clock.

`msgspec.Struct` stands where a frozen dataclass would: it is made ten times faster and goes to and from
the cache without code of ours (docs/decisions/0001-msgspec-structs.md).

flag        flags and segments, as one environment holds them
condition   what a rule or a segment asks of a context; the table of operators
repository  settings, attributes, environments, expectations
policy      approvals, freezes, teams
times       times as files and contexts write them
semver      versions as sortable keys
plain       the model as plain data again
words       conditions and outcomes in words
state       on, off, scheduled or expired at a moment
overview    flags across environments, for `list` and `show`
"""
