"""The foundation: what attention is. Imports nothing of ours."""
