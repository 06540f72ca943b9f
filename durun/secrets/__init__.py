"""Secrets: where they come from, how they are sealed, and how they are kept out of what is written."""
