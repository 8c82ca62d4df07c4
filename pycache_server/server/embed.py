"""Servers in a program: see app.py for what they are made of."""
