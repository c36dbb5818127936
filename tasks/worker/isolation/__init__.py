"""Attempts in a process of their own, for invocations at which workers died."""
