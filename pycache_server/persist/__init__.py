"""A whole data set as bytes, and back: Redis's RDB files. Pure: no files, no clock.

``save`` makes a file, in chunks; ``Loading`` reads one into databases that nobody sees, in slices, and puts them into
the place of what is there when all of it has been found sound. ``rdb`` (the layer below) knows the values.
"""
