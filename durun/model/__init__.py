"""The pure heart: what a run is and how it moves on. No clock, file or process is touched in here."""
