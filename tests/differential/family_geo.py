"""Random commands of geo.py and geosearch.py."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.strategies import FLOATS, INTEGERS, KEYS, Command, maybe, shuffled, some, spoiled, words

_MEMBERS = st.sampled_from([b"m%d" % number for number in range(24)])
_ODD = st.sampled_from(
    [b"180", b"-180", b"85.05112878", b"-85.05112878", b"0", b"179.9999", b"-179.9999", b"85", b"-85"]
)
_LONGITUDES = st.one_of(
    st.floats(-180, 180).map(lambda value: repr(value).encode()),
    st.floats(10, 20).map(lambda value: b"%.4f" % value),
    st.integers(-180, 180).map(lambda value: b"%d" % value),
    _ODD,
)
_LATITUDES = st.one_of(
    st.floats(-85, 85).map(lambda value: repr(value).encode()),
    st.floats(30, 40).map(lambda value: b"%.4f" % value),
    st.integers(-85, 85).map(lambda value: b"%d" % value),
    _ODD.filter(lambda word: b"180" not in word and b"179" not in word),
)
_PLACES = st.one_of(
    words(_LONGITUDES, _LATITUDES),
    words(_LONGITUDES, _LATITUDES),
    words(_LONGITUDES, _LATITUDES),
    words(st.one_of(FLOATS, _ODD), st.one_of(FLOATS, _ODD)),
)
_UNITS = st.sampled_from([b"m", b"km", b"ft", b"mi", b"KM", b"Mi", b"km", b"km", b"yd", b""])
_RADII = st.one_of(
    st.sampled_from([b"0", b"1", b"100", b"5000", b"20000", b"1e7", b"1e300", b"0.5", b"1000000", b"inf"]),
    st.floats(0, 2000).map(lambda value: b"%.3f" % value),
    st.floats(0, 30000).map(lambda value: b"%.2f" % value),
    FLOATS,
)
_COUNTS = words(b"COUNT", st.one_of(st.integers(1, 9).map(lambda value: b"%d" % value), INTEGERS), maybe(b"ANY"))
_OPTIONS = (_COUNTS, b"ASC", b"DESC", b"WITHCOORD", b"WITHDIST", b"WITHHASH", b"withdist")
_FROM = st.one_of(
    words(b"FROMMEMBER", _MEMBERS), words(b"FROMLONLAT", _PLACES), words(b"FROMLONLAT", _LONGITUDES, _LATITUDES)
)
_BY = st.one_of(words(b"BYRADIUS", _RADII, _UNITS), words(b"BYBOX", _RADII, _RADII, _UNITS))
_STORES = (words(st.sampled_from([b"STORE", b"STOREDIST"]), KEYS),)


def commands() -> st.SearchStrategy[Command]:
    """A command for places."""
    return spoiled(
        st.one_of(
            words(b"GEOADD", KEYS, some(words(_LONGITUDES, _LATITUDES, _MEMBERS), 1, 12)),
            words(b"GEOADD", KEYS, some(words(_LONGITUDES, _LATITUDES, _MEMBERS), 1, 12)),
            words(b"GEOADD", KEYS, shuffled(b"NX", b"XX", b"CH", b"ch", b"GT"), some(words(_PLACES, _MEMBERS))),
            words(b"ZADD", KEYS, st.one_of(FLOATS, INTEGERS), _MEMBERS),
            words(b"GEODIST", KEYS, _MEMBERS, _MEMBERS, maybe(_UNITS)),
            words(st.sampled_from([b"GEOPOS", b"GEOHASH"]), KEYS, st.lists(_MEMBERS, max_size=6)),
            words(b"GEOSEARCH", KEYS, _FROM, _BY, shuffled(*_OPTIONS)),
            words(b"GEOSEARCH", KEYS, _FROM, _BY, shuffled(*_OPTIONS)),
            words(b"GEOSEARCH", KEYS, shuffled(_FROM, _BY, *_OPTIONS, b"STOREDIST")),
            words(b"GEOSEARCHSTORE", KEYS, KEYS, _FROM, _BY, shuffled(_COUNTS, b"ASC", b"DESC", b"STOREDIST")),
            words(b"GEOSEARCHSTORE", KEYS, KEYS, shuffled(_FROM, _BY, *_OPTIONS, b"STOREDIST")),
            words(
                st.sampled_from([b"GEORADIUS", b"GEORADIUS_RO"]),
                KEYS,
                _PLACES,
                _RADII,
                _UNITS,
                shuffled(*_OPTIONS, *_STORES),
            ),
            words(
                st.sampled_from([b"GEORADIUSBYMEMBER", b"GEORADIUSBYMEMBER_RO"]),
                KEYS,
                _MEMBERS,
                _RADII,
                _UNITS,
                shuffled(*_OPTIONS, *_STORES),
            ),
        )
    )
