"""What edgesr writes down and reads back: manifests, records, runs, the workspace."""
