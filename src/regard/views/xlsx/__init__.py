"""Spreadsheets with live formulas: inputs are numbers, every later cell is computed from cells before it.

Formulas are such as every program for spreadsheets computes without array entry. Texts are never formulas, whatever
they begin with.
"""
