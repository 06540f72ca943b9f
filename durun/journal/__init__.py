"""The journal: the truth about every run, in one SQLite file."""
