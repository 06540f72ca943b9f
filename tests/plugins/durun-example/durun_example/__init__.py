"""An example of plugins for durun."""
