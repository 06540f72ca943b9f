"""The local engine: a runner that decides, and a supervisor that starts and watches processes."""
