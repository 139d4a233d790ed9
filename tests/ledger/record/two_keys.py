"""One ciphertext that XChaCha20-Poly1305 authenticates under two keys: the attack that the salted commitment answers.

Poly1305 is a polynomial in the ciphertext's blocks at a point that the key gives. With one block free, its value can be
solved for so that both keys give the same tag; it must be a block of 128 bits, so another is varied until it is. Both
free blocks stand in the salt, the first 32 bytes, so that what follows still decrypts as it should under the first key.
"""

from __future__ import annotations

import struct

PRIME = 2**130 - 5
SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def twofold(body: bytes, associated: bytes, nonce: bytes, keys: tuple[bytes, bytes]) -> bytes:
    """`body` (a ciphertext of at least 32 bytes) with its first two blocks replaced, and a tag for both keys."""
    (r1, s1), (r2, s2) = (_one_time_key(key, nonce) for key in keys)
    for tweak in range(10_000):
        tail = struct.pack("<QQ", tweak, 0) + body[32:]
        known = _blocks(associated, bytes(16) + tail)
        free = -(-len(associated) // 16)
        base1, base2 = _polynomial(known, r1, free), _polynomial(known, r2, free)
        power = len(known) - free
        slope = (pow(r1, power, PRIME) - pow(r2, power, PRIME)) % PRIME
        block = (base2 + s2 - base1 - s1) * pow(slope, -1, PRIME) % PRIME - 2**128
        if not 0 <= block < 2**128:
            continue
        tags = {
            (base + (block + 2**128) * pow(r, power, PRIME)) % PRIME + s
            for base, r, s in ((base1, r1, s1), (base2, r2, s2))
        }
        tags = {tag % 2**128 for tag in tags}
        if len(tags) == 1:
            return block.to_bytes(16, "little") + tail + tags.pop().to_bytes(16, "little")
    raise ValueError("no collision found")


def _blocks(associated: bytes, message: bytes) -> list[int]:
    padded = associated + bytes(-len(associated) % 16) + message + bytes(-len(message) % 16)
    padded += struct.pack("<QQ", len(associated), len(message))
    return [int.from_bytes(padded[at : at + 16], "little") + 2**128 for at in range(0, len(padded), 16)]


def _polynomial(blocks: list[int], r: int, without: int) -> int:
    total = 0
    for at, block in enumerate(blocks):
        total = (total + (0 if at == without else block)) * r % PRIME
    return total


def _one_time_key(key: bytes, nonce: bytes) -> tuple[int, int]:
    subkey = struct.pack("<8I", *_ends(_mixed([*SIGMA, *_words(key), *_words(nonce[:16])])))
    start = [*SIGMA, *_words(subkey), 0, 0, *_words(nonce[16:])]
    block = struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(start, _mixed(start), strict=True)))
    clamped = int.from_bytes(block[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    return clamped, int.from_bytes(block[16:32], "little")


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data)


def _ends(state: list[int]) -> list[int]:
    return state[:4] + state[12:]


def _mixed(start: list[int]) -> list[int]:
    """The twenty rounds of ChaCha."""
    state = list(start)

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for x, y, z, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            turned = state[z] ^ state[x]
            state[z] = (turned << by | turned >> (32 - by)) & 0xFFFFFFFF

    for _ in range(10):
        for at in range(4):
            quarter(at, 4 + at, 8 + at, 12 + at)
        for at in range(4):
            quarter(at, 4 + (at + 1) % 4, 8 + (at + 2) % 4, 12 + (at + 3) % 4)
    return state
