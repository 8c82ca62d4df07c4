"""Eviction engines: which key goes when memory is full. One class a file."""
