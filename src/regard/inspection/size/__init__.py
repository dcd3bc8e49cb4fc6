"""How large a model is: parameters by part, multiplications a token, what it keeps in memory. No weights are read."""
