"""Actions describe, they do not do: `prepare` turns what a runbook says into data for the engine."""
