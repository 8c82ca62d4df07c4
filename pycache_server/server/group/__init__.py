"""The process around a member of a group (repl/member.py): files, links, datagrams, commands."""
