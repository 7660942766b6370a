"""Random numbers without a sequence: each is a function of the seed, a stream's name and its keys (symbol, day…).

A number does not depend on the requested days and symbols or their order, so any part of the market can be computed
separately. Only exact arithmetic is used: exp, log and sin differ between processors.
"""

from zlib import crc32

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class Noise:
    """The random numbers of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def uniform(self, stream: str, *keys: np.ndarray) -> np.ndarray:
        """Return uniform numbers in [0, 1), one for each cell of the keys broadcast against each other."""
        return (self._bits(stream, *keys) >> np.uint64(11)) * 2.0**-53

    def normal(self, stream: str, *keys: np.ndarray) -> np.ndarray:
        """Return approximately normal numbers of mean 0 and deviation 1 within -3.5 to 3.5 (sums of four uniforms)."""
        lanes = self._bits(stream, *keys)[..., None].view(np.uint16)
        total = lanes[..., 0].astype(np.float64)
        for lane in range(1, 4):
            total += lanes[..., lane]
        total *= 3.0**0.5 / 65536
        total -= 2 * 3.0**0.5
        return total

    def _bits(self, stream: str, *keys: np.ndarray) -> np.ndarray:
        bits = _mix(np.array([self._seed * 0x1_0000_0000 + crc32(stream.encode())], dtype=np.uint64))
        for key in keys:
            # splitmix64 (Steele, Lea and Flood 2014), one round for each key
            bits = _mix(bits + (key.astype(np.uint64) + np.uint64(1)) * _GOLDEN)
        return bits


def _mix(bits: np.ndarray) -> np.ndarray:
    bits ^= bits >> np.uint64(30)
    bits *= _FIRST
    bits ^= bits >> np.uint64(27)
    bits *= _SECOND
    bits ^= bits >> np.uint64(31)
    return bits
