"""What a person asks for, once, for every face."""
