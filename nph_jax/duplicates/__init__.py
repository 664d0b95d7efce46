"""Near-duplicates: which videos of a library are copies of one another."""
