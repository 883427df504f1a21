"""The value types of a configuration file beyond TOML's own."""

from __future__ import annotations

import re
from decimal import Decimal

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,12})(KiB|MiB|GiB)")
_MODE = re.compile(r"(?:0o?)?([0-7]{3})")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LONGEST = 100 * 366 * 86400.0


class Duration(float):
    """Seconds, written ``N(ms|s|m|h|d)``; no bare numbers."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ``ValueError`` that says what would be right."""
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a duration: write a number and one of ms, s, m, h, d, for example 30s")
        number = float(match[1])
        seconds = number / 1000 if match[2] == "ms" else number * _SECONDS[match[2]]
        if seconds > _LONGEST:
            raise ValueError(f"{text!r} is too long: write at most 36600d")
        return cls(seconds)

    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s"):
            if self >= _SECONDS[unit] and self % _SECONDS[unit] == 0:
                return f"{int(self / _SECONDS[unit])}{unit}"
        if not self:
            return "0s"
        milliseconds = round(self * 1000)
        return f"{milliseconds}ms" if milliseconds / 1000 == self else f"{Decimal(repr(float(self))):f}s"


class Size(int):
    """Bytes, written ``N(KiB|MiB|GiB)``; no bare numbers."""

    @classmethod
    def parse(cls, text: str) -> Size:
        """Raises ``ValueError`` that says what would be right."""
        match = _SIZE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a size: write a number and one of KiB, MiB, GiB, for example 16MiB")
        return cls(int(match[1]) * _BYTES[match[2]])

    def __str__(self) -> str:
        unit = next((unit for unit in ("GiB", "MiB") if self and self % _BYTES[unit] == 0), "KiB")
        return f"{self // _BYTES[unit]}{unit}"


class Mode(int):
    """A file's permissions, written in octal: ``"0660"``, or TOML's ``0o660``."""

    @classmethod
    def parse(cls, text: str) -> Mode:
        """Raises ``ValueError`` that says what would be right."""
        match = _MODE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} are no permissions: write three octal digits, for example 0660")
        return cls(int(match[1], 8))

    def __str__(self) -> str:
        return f"{int(self):04o}"


class Secret:
    """A string that is never printed: ``reveal`` is the one way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret('')"

    __str__ = __repr__


def parse_address(text: str) -> tuple[str, int]:
    """``127.0.0.1:5150`` or ``[::1]:5150``. Raises ``ValueError`` that says what would be right."""
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or re.fullmatch("[0-9]{1,5}", port) is None or int(port) > 65535:
        raise ValueError(f"{text!r} is not an address: write host:port, for example 127.0.0.1:5150")
    return host, int(port)
