"""`longshore doctor`: looks at everything an agent stands on, and says of each thing whether it is well."""
