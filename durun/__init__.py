"""durun: operational runbooks that survive crashes."""

__version__ = "0.1.0"
