"""Flag definitions: documents, their changes, and the snapshot that every evaluator reads."""
