"""Scripts and functions in Lua 5.1, on lupa; what they see is in ``lua/``."""
