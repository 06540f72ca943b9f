"""The runbook language: from YAML text to a checked `Runbook`, and from a `Runbook` to its `Plan`."""
