"""`longshore doctor`: looks at everything an agent stands on, and says of each thing whether it is well."""

from longshore.cli.doctor.command import doctor

__all__ = ["doctor"]
