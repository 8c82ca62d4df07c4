"""Sentinel: who watches leaders and their followers, agrees with others like it, and fails over. Wire-compatible with
Redis Sentinel; without IO: server/sentinel.py carries what is said here."""
