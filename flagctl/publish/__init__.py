"""Snapshots out of the door: from a compiled document to the place that services read.

publish   a snapshot made the live one, or why not
several   several targets, one after the other or at once
draft     a document on its way to several targets: each part made into bytes once
flagd     its flagd definition as bytes, with a memory of flags compiled before
selftest  that definition tried in flagd's own engine
passed    flags that passed, remembered
live      what is live at a target, read with care
floor     the least version where nothing is live
canary    a version for a few first
kill      one flag off at once in what is live
keys      who signs, who is believed
receipt   what one publish put where
status    how a target stands
verify    whether what is live is what its commit says
"""
