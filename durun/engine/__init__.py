"""Engines drive runs: they perform what `decide` asks for, and record what came of it."""
