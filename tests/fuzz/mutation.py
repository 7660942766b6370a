"""Changes to inputs: bytes turned, cut, doubled, exchanged with parts of others and with values that hurt programs."""

import random
from collections.abc import Sequence

#: What programs have taken for something else: limits of numbers, nothing, endless, other languages, structure.
HURTFUL = (
    b"", b"0", b"-1", b"1e999", b"-0.0", b"nan", b"inf", b"9223372036854775808", b"4294967295", b"65536", b"99999999",
    b"null", b"~", b"true", b"[]", b"{}", b"[[[[[[[[", b"{{{{", b"${A}", b"${", b"&a [*a, *a]", b"*a", b"!!python/none",
    b"<<: *a", b"---\n", b"...\n", b"%YAML 9.9\n", b"? ", b"- ", b": ", b"\t", b"\r", b"\n\n", b"#", b"|-\n", b"'",
    b'"', b"\\", b"\x00", b"\x7f", b"\xff\xfe", b"\xef\xbb\xbf", "\u2028".encode(),
    "\ud83d".encode("utf-8", "surrogatepass"),
    "日线".encode(), "：＝".encode(), "贵州茅台".encode("gbk"), b"2026-02-30", b"99991231", b"00000000", b"20260101",
    b"../../etc", b"/dev/null", b"a" * 5000, b"(" * 400, b"1+" * 400, b"MA(C,", b"C;", b"REF(C,-1)", b":=", b"//", b"{",
    b"PK\x05\x06" + bytes(18), b"PK\x03\x04",
)  # fmt: skip


def mutated(one: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a changed copy of an input.

    Args:
        one: The input.
        others: The corpus, for parts.
        chance: Decides; the same state gives the same change.
    """
    data = bytearray(one)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at, length = chance.randrange(len(data) + 1), chance.choice((1, 1, 2, 4, 8, 32, 200))
        match chance.randrange(9):
            case 0 if data:
                data[min(at, len(data) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * chance.choice((1, 2, 20))
            case 3:
                data[at:at] = chance.choice(HURTFUL)
            case 4:
                data[at : at + length] = chance.choice(HURTFUL)
            case 5:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                data[at : at + length] = other[start : start + 4 * length]
            case 6:
                _exchange_lines(data, chance)
            case 7:
                del data[at:]
            case _:
                data[at : at + length] = chance.randbytes(length)
    return bytes(data[:200_000])


def _exchange_lines(data: bytearray, chance: random.Random) -> None:
    """Copy a line to the place of another, which keeps more of a text's form than the other changes."""
    lines = data.split(b"\n")
    lines[chance.randrange(len(lines))] = lines[chance.randrange(len(lines))]
    data[:] = b"\n".join(lines)
