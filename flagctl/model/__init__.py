"""What a flag is: frozen structs, no I/O, no clock.

`msgspec.Struct` stands where a frozen dataclass would: it is made ten times faster and goes to and from
the cache without code of ours (docs/decisions/0001-msgspec-structs.md).
"""
