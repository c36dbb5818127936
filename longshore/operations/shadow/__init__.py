"""What the original agent sends beside what Longshore would send: the lines of both, and their comparison."""
