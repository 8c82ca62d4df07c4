"""Numbers as Redis reads and writes them: strictly, from bytes.

Python's ``int`` and ``float`` take `` 1``, ``1_0``, ``+1`` and ``nan``; Redis does not. And INCRBYFLOAT calculates in
the x87's 80-bit long double, of which clients see the digits: 0.1 + 0.2 is 0.3 there. We do the same sums in integers.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

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


def parse_float(text: bytes | bytearray) -> float | None:
    """The double that C's ``strtod`` finds in all of ``text``, or None; NaN and what does not fit are None."""
    if len(text) < _CANNOT_OVERFLOW and text.translate(None, b"0123456789") in _PLAIN:
        try:  # most numbers: a quarter of the time that the rest takes
            return float(text)
        except ValueError:
            return None
    if len(text) > _LONGEST_FLOAT or (found := _FLOAT.fullmatch(text)) is None:
        return None
    if found["hex"]:
        try:
            return float.fromhex(text.decode("ascii"))
        except OverflowError:
            return None
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
_SMALLEST = Fraction(1, 2**16445)


def round_long_double(value: Fraction) -> Fraction | None:
    """The nearest number with a mantissa of 64 bits, ties to even; None where it is too large or too small."""
    if not value:
        return value
    if abs(value) < _SMALLEST:
        return None
    numerator, denominator = abs(value.numerator), value.denominator
    shift = numerator.bit_length() - denominator.bit_length() - MANTISSA_BITS
    scaled = Fraction(numerator, denominator) / Fraction(2) ** shift
    if scaled >= 2**MANTISSA_BITS:
        shift += 1
        scaled /= 2
    mantissa = round(scaled)  # Fraction rounds half to even
    if mantissa.bit_length() + shift > _LARGEST_EXPONENT:
        return None
    rounded = mantissa * Fraction(2) ** shift
    return rounded if value > 0 else -rounded


def parse_long_double(text: bytes | bytearray) -> Fraction | float | None:
    """The long double in ``text``: a float where it is infinite; None where it is no number."""
    if len(text) >= _LONGEST_FLOAT or (found := _FLOAT.fullmatch(text)) is None:
        return None
    if found["hex"]:
        return round_long_double(_parse_hex(text.decode("ascii").lower()))
    if not found["digits"]:
        return float(text)
    _, _, exponent = text.lower().partition(b"e")
    if exponent and abs(int(exponent)) > 5000:
        return None
    return round_long_double(Fraction(Decimal(text.decode("ascii"))))  # Decimal: int refuses to read 4300 digits


def _parse_hex(text: str) -> Fraction:
    sign = -1 if text.startswith("-") else 1
    mantissa, _, exponent = text.lstrip("+-")[2:].partition("p")
    whole, _, fraction = mantissa.partition(".")
    return sign * Fraction(int(whole + fraction, 16), 16 ** len(fraction)) * Fraction(2) ** int(exponent or 0)


def format_long_double(value: Fraction) -> bytes:
    """As C's ``%.17Lf``, without zeros at the end: what INCRBYFLOAT stores and answers."""
    scaled = round(value * 10**17)
    whole, fraction = divmod(abs(scaled), 10**17)
    text = str(Decimal(whole)).encode() + b".%017d" % fraction  # Decimal, again
    text = text.rstrip(b"0").rstrip(b".")
    return b"-" + text if scaled < 0 else text
