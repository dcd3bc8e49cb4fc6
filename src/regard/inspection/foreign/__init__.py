"""Models of `transformers`, recorded through their attention interface; they are read, never rewritten."""
