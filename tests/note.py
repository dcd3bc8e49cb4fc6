"""Note 003 by hand: every matrix that it writes out, under its symbol and its name in JSON. √½ and √2 are the roots."""

import math

H, T = math.sqrt(0.5), math.sqrt(2)

X = [[1, 0], [0, 1], [1, 1]]
EYE = [[1, 0], [0, 1]]
ZEROS = [[0, 0], [0, 0], [0, 0]]
K = [[0, 0], [0.707107, 0.707107], [1.414214, 1.414214]]

NOTE = {
    "X": ("x", X),
    "W_Q": ("w_query", EYE),
    "b_Q": ("b_query", [[0, 0]]),
    "W_K": ("w_key", [[0.707107, 0.707107], [1.414214, 1.414214]]),
    "b_K": ("b_key", [[-0.707107, -0.707107]]),
    "W_V": ("w_value", EYE),
    "b_V": ("b_value", [[0, 0]]),
    "Q_raw": ("query_raw", X),
    "B_Q": ("b_query_spread", ZEROS),
    "Q": ("query", X),
    "K_raw": ("key_raw", [[0.707107, 0.707107], [1.414214, 1.414214], [2.121320, 2.121320]]),
    "B_K": ("b_key_spread", [[-0.707107, -0.707107]] * 3),
    "K": ("key", K),
    "V_raw": ("value_raw", X),
    "B_V": ("b_value_spread", ZEROS),
    "V": ("value", X),
    "Kᵀ": ("key_transposed", [[0, 0.707107, 1.414214], [0, 0.707107, 1.414214]]),
    "S_raw": ("scores", [[0, 0.707107, 1.414214], [0, 0.707107, 1.414214], [0, 1.414214, 2.828427]]),
    "S": ("scaled", [[0, 0.5, 1], [0, 0.5, 1], [0, 1, 2]]),
    "A": (
        "weights",
        [[0.186324, 0.307196, 0.506480], [0.186324, 0.307196, 0.506480], [0.090031, 0.244728, 0.665241]],
    ),
    "O": ("context", [[0.692804, 0.813676], [0.692804, 0.813676], [0.755272, 0.909969]]),
}
"""Symbol → (name, numbers to six digits)."""

STEPS = ("query", "key", "value", "scores", "scaled", "masked", "weights", "context")
