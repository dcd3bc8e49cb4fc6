"""Text becomes tokens, ids and batches; ids become text again. No torch here."""
