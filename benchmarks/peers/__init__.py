"""Other people's models, rebuilt from their operations to stand beside ours in one run."""
