"""Flower with tabs of our own: dead letters, targets, jobs, a page per invocation, and the same as JSON.

Extends Flower by its own means: a subclass of its application, handlers of its base class, and its templates with our
tabs inserted as they are loaded. Reads the ledger; changes it only through `longshore.operations`.
"""
