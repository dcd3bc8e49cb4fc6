"""The looking wing's pictures: plain data, and renderers that turn them into text, files and pages. No torch here."""
