"""What a runbook or a run will do, told beforehand: tasks, secrets, commands, what can't be undone. Nothing is run."""
