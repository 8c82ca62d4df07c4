"""The programs: what their command lines mean."""
