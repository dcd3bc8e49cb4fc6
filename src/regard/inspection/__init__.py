"""The looking wing: what a model attends to, as data. It imports no layers and no models."""
