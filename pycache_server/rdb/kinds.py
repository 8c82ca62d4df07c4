"""The numbers that stand in front of values, and tell how each is packed.

Redis 7.0 writes those up to STREAM_LISTPACKS_2 with version 10 of the format, 7.2 those up to STREAM_LISTPACKS_3 with
version 11, 7.4 all with version 12.
"""

from __future__ import annotations

from typing import Final

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3
HASH: Final = 4
ZSET_2: Final = 5
HASH_ZIPMAP: Final = 9
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14
STREAM_LISTPACKS: Final = 15
HASH_LISTPACK: Final = 16
ZSET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18
STREAM_LISTPACKS_2: Final = 19
SET_LISTPACK: Final = 20
STREAM_LISTPACKS_3: Final = 21
HASH_METADATA_PRE_GA: Final = 22
HASH_LISTPACK_EX_PRE_GA: Final = 23
HASH_METADATA: Final = 24
HASH_LISTPACK_EX: Final = 25

PLAIN_NODE: Final = 1
PACKED_NODE: Final = 2
"""Nodes of a LIST_QUICKLIST_2: one large element, or a listpack."""

VERSION: Final = 10
"""What values are written with that Redis 7.0 can read."""
NEWEST_VERSION: Final = 12
"""The newest version that can be read."""
