"""Bricks of models: attention layers, positions."""
