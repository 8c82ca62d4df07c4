"""Numbers as Redis reads and writes them: strictly, from bytes.

Python's ``int`` and ``float`` take `` 1``, ``1_0``, ``+1`` and ``nan``; Redis does not. And INCRBYFLOAT calculates in
the x87's 80-bit long double, of which clients see the digits: 0.1 + 0.2 is 0.3 there. We do the same sums in integers.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import inf

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1

_FLOAT = re.compile(
    rb"[+-]?(?:(?P<digits>\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|(?P<hex>0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?\d+)?))",
    re.IGNORECASE,
)
_LONGEST_INT = 20
_LONGEST_FLOAT = 5 * 1024
_PLAIN = (b"", b".", b"-", b"-.")
"""What a number without exponent has besides digits."""
_IS_PLAIN = {plain + sign: not sign for plain in _PLAIN for sign in (b"", b"e", b"e-", b"e+")}
"""What numbers have besides digits that are written as usual, and whether that is one without exponent."""
_CANNOT_OVERFLOW = 300


def parse_int(text: bytes | bytearray) -> int | None:
    """The 64-bit integer that ``text`` is the one and only spelling of, or None."""
    if not 0 < len(text) <= _LONGEST_INT:
        return None
    try:
        value = int(text)
    except ValueError:
        return None
    return value if b"%d" % value == text and INT_MIN <= value <= INT_MAX else None


def parse_float(text: bytes) -> float | None:
    """The double that C's ``strtod`` finds in all of ``text``, or None; NaN and what does not fit are None."""
    if len(text) < _CANNOT_OVERFLOW:
        if text.isdigit():
            return int(text) + 0.0  # rounds as float does, in two thirds of the time
        is_plain = _IS_PLAIN.get(text.translate(None, b"0123456789"))
        if is_plain is not None:
            try:  # most other numbers: a quarter of the time that the rest takes
                value = float(text)
            except ValueError:
                return None
            if is_plain or 0.0 < abs(value) < inf:
                return value
    if len(text) > _LONGEST_FLOAT or (found := _FLOAT.fullmatch(text)) is None:
        return None
    if found["hex"]:
        try:
            value = float.fromhex(text.decode("ascii"))
        except OverflowError:
            return None
        return value if value or not found["hex"].lower().partition(b"p")[0].strip(b"0x.") else None
    value = float(text)
    digits = found["digits"]
    if digits and (value in (float("inf"), float("-inf")) or (value == 0 and digits.strip(b"0."))):
        return None
    return value


def parse_float_leniently(text: bytes) -> float | None:
    """The same where Redis uses ``strtod`` without looking closely: spaces in front are allowed, an empty text is 0,
    the text ends at a NUL, and what is too large is infinite."""
    value = parse_float(text)
    if value is not None:
        return value
    text = text.split(b"\0", 1)[0]
    if not text:
        return 0.0
    found = _FLOAT.fullmatch(text.lstrip(b" \t\n\v\f\r"))
    if found is None:
        return None
    try:
        return float.fromhex(found[0].decode("ascii")) if found["hex"] else float(found[0])
    except OverflowError:
        return float("-inf") if found[0].startswith(b"-") else float("inf")


MANTISSA_BITS = 64
_LARGEST_EXPONENT = 16384
_SMALLEST_EXPONENT = -16445
_LONGEST_LONG_DOUBLE = 5 * 1024 - 1
_FARTHEST = {10: 11_000, 2: 40_000}
"""The exponents beyond which no mantissa of so many digits brings a number back into range."""


def round_long_double(value: Fraction) -> Fraction | None:
    """The nearest number with a mantissa of 64 bits, ties to even; None where it is too large or too small."""
    if not value:
        return value
    numerator, denominator = abs(value.numerator), value.denominator
    shift = max(numerator.bit_length() - denominator.bit_length() - MANTISSA_BITS, _SMALLEST_EXPONENT)
    scaled = Fraction(numerator, denominator) / Fraction(2) ** shift
    if scaled >= 2**MANTISSA_BITS:
        shift += 1
        scaled /= 2
    mantissa = round(scaled)  # Fraction rounds half to even
    if not mantissa or mantissa.bit_length() + shift > _LARGEST_EXPONENT:
        return None
    rounded = mantissa * Fraction(2) ** shift
    return rounded if value > 0 else -rounded


def parse_long_double(text: bytes | bytearray) -> Fraction | float | None:
    """The long double in ``text``: a float where it is infinite; None where it is no number."""
    if len(text) > _LONGEST_LONG_DOUBLE or (found := _FLOAT.fullmatch(text)) is None:
        return None
    if not found["digits"] and not found["hex"]:
        return float(text)
    digits, _, exponent = text.decode("ascii").lower().lstrip("+-").partition("p" if found["hex"] else "e")
    whole, _, fraction = digits.removeprefix("0x").partition(".")
    if found["hex"]:
        mantissa, unit, base = int(whole + fraction, 16), 16, 2
    else:
        mantissa, unit, base = int(Decimal(whole + fraction)), 10, 10  # Decimal: int refuses to read 4300 digits
    if not mantissa:
        return Fraction(0)
    power = _power(exponent, _FARTHEST[base])
    if power is None:
        return None
    value = Fraction(mantissa, unit ** len(fraction)) * Fraction(base) ** power
    return round_long_double(-value if text.startswith(b"-") else value)


def _power(exponent: str, farthest: int) -> int | None:
    """An exponent as a number, 0 where there is none; None where it is beyond ``farthest``."""
    digits = exponent.lstrip("+-").lstrip("0")
    if len(digits) > 5 or int(digits or 0) > farthest:
        return None
    return int(digits or 0) * (-1 if exponent.startswith("-") else 1)


def format_long_double(value: Fraction) -> bytes:
    """As C's ``%.17Lf``, without zeros at the end: what INCRBYFLOAT stores and answers."""
    scaled = round(value * 10**17)
    whole, fraction = divmod(abs(scaled), 10**17)
    text = str(Decimal(whole)).encode() + b".%017d" % fraction  # Decimal, again
    text = text.rstrip(b"0").rstrip(b".")
    return b"-" + text if scaled < 0 else text
