"""The supervisor process: the hands of a run. Imports the standard library and the formats beside it, nothing else."""
