"""Authority and budgets in layers: each narrows, or charges, what the one before has left."""
