"""Model to what machines read: the canonical snapshot."""
