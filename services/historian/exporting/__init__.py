"""Prices into files, as spreadsheets, notebooks and `historian import` read them."""
