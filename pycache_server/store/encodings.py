"""Up to which size Redis keeps collections compact."""

from __future__ import annotations


class Encodings:
    """The limits up to which Redis keeps a collection compact, by the names of their directives. They decide what
    OBJECT ENCODING answers, and whether a scan returns everything at once."""

    __slots__ = (
        "hash_max_listpack_entries",
        "hash_max_listpack_value",
        "hll_sparse_max_bytes",
        "list_max_listpack_size",
        "set_max_intset_entries",
        "set_max_listpack_entries",
        "set_max_listpack_value",
        "stream_node_max_bytes",
        "stream_node_max_entries",
        "zset_max_listpack_entries",
        "zset_max_listpack_value",
    )

    def __init__(self) -> None:
        self.hash_max_listpack_entries = 512
        self.hash_max_listpack_value = 64
        self.hll_sparse_max_bytes = 3000
        self.list_max_listpack_size = -2
        self.set_max_intset_entries = 512
        self.set_max_listpack_entries = 128
        self.set_max_listpack_value = 64
        self.stream_node_max_bytes = 4096
        self.stream_node_max_entries = 100
        self.zset_max_listpack_entries = 128
        self.zset_max_listpack_value = 64
