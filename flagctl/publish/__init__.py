"""Snapshots out of the door: from a compiled document to the place that services read."""
