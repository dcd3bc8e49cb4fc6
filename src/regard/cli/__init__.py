"""The command line: thin faces over `tasks`. Nothing heavy is imported before a command runs."""
