"""Composition root, HTTP, scheduler and command line."""
