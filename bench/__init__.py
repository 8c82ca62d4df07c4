"""Measurements of the server beside redis-server; run as ``python -m bench.<name>``."""
