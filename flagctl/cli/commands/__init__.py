"""One file per command: it turns arguments into a call of one room's function and shows the result."""
