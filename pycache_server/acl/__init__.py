"""Access control lists: users, what they may do, and the rules in which that is written.

Pure: no clients, no files, no clock. The rules and their order, the errors and the descriptions are those of Redis 7.0.
"""
