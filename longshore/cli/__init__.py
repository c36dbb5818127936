"""The `longshore` command: every program of an agent starts here."""
