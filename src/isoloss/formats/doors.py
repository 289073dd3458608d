"""What a verb takes where a format or a precision is meant, as one."""

from __future__ import annotations

from isoloss.formats.number import Format
from isoloss.formats.precision import Precision


def as_format(given: str | Format) -> Format:
    """The format that is meant: a Format as it is, or the one that a name or spelling says.

    Parameters
    ----------
    given
        A Format, or a text such as 'int4/128+had', 'E4M3', 'nf4' or 'add(0.001)'.

    Raises
    ------
    ValueError
        The spelling cannot be read, or it is no text.
    """
    return Format.parse(given)


def as_precision(given: str | Precision) -> Precision:
    """The precision that is meant: a Precision as it is, or the one that a spelling says.

    Parameters
    ----------
    given
        A Precision, or a text such as 'w4 a8', 'bf16' or 'w8 a8 -> w4/128@gptq'.

    Raises
    ------
    ValueError
        The spelling cannot be read, or it is no text.
    """
    return Precision.parse(given)
