"""One cell of one pattern, with every number from the layer's input to the residual stream.

Nothing is known of families here. Modules are heard while the model runs; which of them makes queries, keys, values
and the output is found by value: the one whose numbers, cut into heads, normed and turned, entered the kernel.
"""
