"""Images, folders and videos through any model, to files that are never half-written."""
