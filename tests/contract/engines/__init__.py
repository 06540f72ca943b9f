"""Engines to try, each with a world in which scripted steps happen."""
