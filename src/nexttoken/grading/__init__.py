"""Is an answer right, and if not, why? Nothing here is imported by a chapter."""
