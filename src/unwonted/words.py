"""Numbers and untrusted text as people read them: short, grouped, with nothing invisible in them."""

import math
import unicodedata

__all__ = ["as_score", "clean", "count", "in_full", "number", "percent", "percent_up", "probability", "text_of"]

_EXACT = 2.0**53  # below which a float64 holds every whole number
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str) -> str:
    r"""Shows every control, invisible or direction-changing character instead of obeying it.

    Logs are written by strangers: a right-to-left override or a NUL in a value must not change what a
    reader sees. C0 controls become their Unicode pictures, the rest an escape.

    >>> clean("a\x00b\n\u202etxt.exe")
    'a␀b␊\\u202etxt.exe'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if unicodedata.category(char) not in _HIDDEN:
        return char
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def number(value: float) -> str:
    """A number with at most four significant digits below 10,000 and thousands grouped above.

    >>> number(12), number(3.14159), number(9_100_000.4), number(-1e-5), number(2.5e16), number(math.inf)
    ('12', '3.142', '9,100,000', '−0.00001', '2.5 × 10^16', '∞')
    """
    if math.isnan(value):
        return "missing"
    sign = "−" if value < 0 else ""
    size = abs(value)
    if math.isinf(size):
        return sign + "∞"
    if size >= 1e15 or 0 < size < 1e-5:
        mantissa, exponent = f"{size:.3e}".split("e")
        digits = mantissa.rstrip("0").rstrip(".")
        return f"{sign}{digits} × 10^{int(exponent)}"
    if size >= 1e4:
        return f"{sign}{size:,.0f}"
    if size == 0:
        return "0"
    places = max(0, 3 - math.floor(math.log10(size)))
    text = f"{size:,.{places}f}"
    return sign + (text.rstrip("0").rstrip(".") if "." in text else text)


def as_score(value: float, signed: bool = False) -> str:
    """A score or a contribution: three digits, and no more than two of them behind the point.

    >>> as_score(12.345), as_score(0.04, signed=True), as_score(-3.214, signed=True), as_score(7747.4), as_score(-0.004)
    ('12.3', '+0.04', '−3.21', '7,747', '0.00')
    """
    if not abs(value) < 1e7:
        return ("+" if signed and value > 0 else "") + number(value)
    size = f"{abs(value):,.{(abs(value) < 10) + (abs(value) < 1000)}f}"
    if size == "0.00":
        return size
    return ("−" if value < 0 else "+" if signed else "") + size


def percent(share: float) -> str:
    r"""A share in percent, precise where it is small; its parts do not come apart at a line end.

    >>> shares = 0.05, 0.1234, 0.00042, 1.0, 0.99999, 1e-9
    >>> [percent(share).replace("\xa0", " ") for share in shares]
    ['5 %', '12.3 %', '0.042 %', '100 %', '> 99.9 %', '< 0.001 %']
    """
    value = 100 * share
    if 0 < value < 0.001:
        return "<\xa00.001\xa0%"
    if 99.9 < value < 100:
        return ">\xa099.9\xa0%"
    text = f"{value:.{_places(value)}f}"
    return f"{text.rstrip('0').rstrip('.')}\xa0%"


def percent_up(share: float) -> str:
    r"""A share in percent that is no smaller: rounded up to the digits that `percent` shows.

    >>> [percent_up(share).replace("\xa0", " ") for share in (1 / 97, 0.01, 1 / 2801)]
    ['1.1 %', '1 %', '0.036 %']
    """
    value = 100 * share
    step = 10.0 ** -_places(value)
    return percent(math.ceil(value / step - 1e-9) * step / 100)


def _places(value: float) -> int:
    return 1 if value >= 1 else 2 if value >= 0.1 else 3


def probability(value: float) -> str:
    """A p-value in two significant digits.

    >>> probability(0.04321), probability(1 / 2801), probability(1.0)
    ('0.043', '0.00036', '1')
    """
    if value >= 1e-5 or value == 0:
        return f"{value:.{max(1, 1 - math.floor(math.log10(value)))}f}".rstrip("0").rstrip(".") if value else "0"
    return number(value)


def count(n: int, thing: str, things: str | None = None) -> str:
    """A count with its noun.

    >>> count(1, "alert"), count(2800, "alert"), count(0, "category", "categories")
    ('1 alert', '2,800 alerts', '0 categories')
    """
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def text_of(value: object) -> str:
    """Any cell's value as text; whole numbers, which may be names, with all their digits.

    >>> text_of(None), text_of(True), text_of(609_569_349_857_163_471), text_of(0.5), text_of("ledger")
    ('missing', 'true', '609,569,349,857,163,471', '0.5', 'ledger')
    """
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return in_full(value) if value.is_integer() and abs(value) < _EXACT else number(value)
    return in_full(value)


def in_full(value: object) -> str:
    """A cell's value as text that tells it from every other.

    >>> in_full(-1234567), in_full(52.516341), in_full(1e300), in_full("ledger")
    ('−1,234,567', '52.516341', '1e+300', 'ledger')
    """
    return f"{value:,}".removesuffix(".0").replace("-", "−") if isinstance(value, int | float) else str(value)
