"""Model to what machines read: the canonical snapshot, and flagd's flag definition.

snapshot          an environment to its snapshot
audience          the part of a snapshot that browsers may see
kill              a snapshot in which a flag is off for a while
flagd             a snapshot to a flag definition for flagd
flagd_outcomes    who gets what, in JSONLogic: buckets, ramps, schedules
flagd_conditions  single conditions, in JSONLogic
flagd_logic       the JSONLogic on which flagd's engines agree
"""
