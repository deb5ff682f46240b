"""What a room returned, as text or a machine-readable document: one file per format."""
