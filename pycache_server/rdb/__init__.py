"""Redis's binary format of values: what DUMP answers, and what snapshots consist of. Pure: bytes in, values out.

``payload`` is the front: a value with the version and the checksum around it. ``reader`` and ``writer`` hold the
primitives (lengths, strings, doubles), ``load`` and ``save`` know which type a value has, and the other modules are the
encodings inside: ``listpack``, ``ziplist``, ``zipmap``, ``intset``, ``lzf``, ``streams``; ``crc64`` is the checksum.

Nothing that a payload claims is trusted: what it says of lengths is compared with what is there before anything is
allocated, and a value is made when the whole payload has been found sound.
"""
