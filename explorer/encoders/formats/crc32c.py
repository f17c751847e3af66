"""The checksum CRC-32C (Castagnoli) with numpy, fast enough for the weights of an encoder.

A checksum is linear: that of two pieces in a row follows from theirs. All pairs of four-byte words
are joined at once, then all pairs of pairs, and so on, so that there are no loops over bytes.
Leading zeros change nothing and fill the data up to a power of two. 27 MB take a fifth of a second.

Source: RFC 3720, appendix B.4; the masked form is that of LevelDB tables.
"""

from __future__ import annotations

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
_BYTES = np.arange(256, dtype=np.uint32)


def crc32c(data: bytes | memoryview | np.ndarray) -> int:
    """Return the checksum of some bytes.

    Example
    -------
    >>> hex(crc32c(b"123456789"))  # RFC 3720
    '0xe3069283'
    """
    raw = np.frombuffer(data, np.uint8)
    words = 1 << max(0, (-(-raw.size // 4) - 1)).bit_length()
    filled = np.zeros(4 * words, np.uint8)
    filled[4 * words - raw.size :] = raw
    # It starts from ones, which is the same as from zeros with the first four bytes inverted.
    start = 4 * words - raw.size
    filled[start : start + 4] ^= 0xFF
    sums = filled.view("<u4")
    step = 2  # a word is 2**2 bytes
    while sums.size > 1:
        sums = _advance(sums[0::2], step) ^ sums[1::2]
        step += 1
    crc = int(_advance(sums, 2)[0]) ^ 0xFFFF_FFFF
    if raw.size < 4:  # the ones that found no byte to invert go in behind
        crc ^= 0xFFFF_FFFF >> (8 * raw.size)
    return crc


def masked(crc: int) -> int:
    """Return a checksum as LevelDB stores it, so that a checksum of checksums stays sound.

    Example
    -------
    >>> hex(masked(crc32c(b"123456789")))
    '0xc78ab0e5'
    """
    return (((crc >> 15) | (crc << 17)) + 0xA282_EAD8) & 0xFFFF_FFFF


def _advance(sums: np.ndarray, step: int) -> np.ndarray:
    """Return what checksums become when 2**step zero bytes follow."""
    table = _table(step)
    return (
        table[0][sums & 0xFF]
        ^ table[1][(sums >> 8) & 0xFF]
        ^ table[2][(sums >> 16) & 0xFF]
        ^ table[3][sums >> 24]
    )


@cache
def _table(step: int) -> np.ndarray:
    """Return `[4, 256]`: what each value of each byte of a checksum becomes, see `_advance`."""
    if step:
        alone = np.stack([_BYTES << 8 * place for place in range(4)])
        return _advance(_advance(alone, step - 1), step - 1)
    one = _BYTES.copy()
    for _ in range(8):
        one = np.where(one & 1, (one >> 1) ^ np.uint32(_POLYNOMIAL), one >> 1)
    return np.stack([one, _BYTES, _BYTES << 8, _BYTES << 16]).astype(np.uint32)
