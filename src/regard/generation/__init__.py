"""Generation: which token comes next. One search over `start` and `step`, whatever the decoder."""
