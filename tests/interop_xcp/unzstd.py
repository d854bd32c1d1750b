"""What does a zstd frame become? RFC 8878, complete but for dictionaries; slow, and without any package."""

import struct
from dataclasses import dataclass

from xxh64 import xxh64
from zstd import BLOCK_MAX, COMPRESSED, MAGIC, RAW, RLE


class ZstdError(Exception):
    pass


class TooMuch(ZstdError):
    """More bytes than allowed, told or made."""


def ladder(first, values):
    """Baseline and extra bits of each code: those that mean themselves, and those of the RFC's table."""
    return [(first + code, 0) for code in range(values[0])] + list(zip(values[1], values[2]))


LENGTHS = ladder(0, (16, [16, 18, 20, 22, 24, 28, 32, 40, 48, *(1 << n for n in range(6, 17))],
                     [1, 1, 1, 1, 2, 2, 3, 3, 4, *range(6, 17)]))  # fmt: skip
MATCHES = ladder(3, (32, [35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, *(3 + (1 << n) for n in range(7, 17))],
                     [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, *range(7, 17)]))  # fmt: skip
DEFAULT_LENGTHS = [4, 3, *[2] * 11, 1, 1, 1, *[2] * 9, 3, 2, *[1] * 5, *[-1] * 4]
DEFAULT_OFFSETS = [*[1] * 6, 2, 2, 2, *[1] * 15, *[-1] * 5]
DEFAULT_MATCHES = [1, 4, 3, *[2] * 6, *[1] * 37, *[-1] * 7]


class Forward:
    """Bits from the first byte on, lowest first."""

    def __init__(self, data):
        self.value, self.bits, self.at = int.from_bytes(data, "little"), 8 * len(data), 0

    def read(self, count):
        if self.at + count > self.bits:
            raise ZstdError("a table runs over its end")
        self.at += count
        return self.value >> self.at - count & (1 << count) - 1


class Backward:
    """Bits from the last byte on, highest first, below a bit that marks the end. Beyond the first bit are zeros."""

    def __init__(self, data):
        if not data or not data[-1]:
            raise ZstdError("a stream without its end")
        self.data = data
        self.left = 8 * len(data) - 8 + data[-1].bit_length() - 1

    def read(self, count):
        self.left -= count
        if self.left >= 0:
            start = self.left >> 3
            window = int.from_bytes(self.data[start : start + 8], "little")
            return window >> (self.left & 7) & (1 << count) - 1
        window = int.from_bytes(self.data[:8], "little")
        return window << -self.left & (1 << count) - 1


@dataclass
class Table:
    """A finite state machine: of each state its symbol, how many bits to read, and what to add to them."""

    log: int
    states: list

    def start(self, bits):
        return bits.read(self.log)

    def advance(self, state, bits):
        _, count, base = self.states[state]
        return base + bits.read(count)


def make_table(log, shares):
    size = 1 << log
    symbols, high, counts = [0] * size, size, []
    for symbol, share in enumerate(shares):
        if share == -1:
            high -= 1
            symbols[high] = symbol
        counts.append(abs(share))
    at, step = 0, (size >> 1) + (size >> 3) + 3
    for symbol, share in enumerate(shares):
        for _ in range(max(share, 0)):
            symbols[at] = symbol
            at = at + step & size - 1
            while at >= high:
                at = at + step & size - 1
    states = []
    for symbol in symbols:
        turn = counts[symbol]
        counts[symbol] += 1
        count = log - turn.bit_length() + 1
        states.append((symbol, count, (turn << count) - size))
    return Table(log, states)


def read_table(data, most_log, most_symbols):
    """The table and how many bytes it took."""
    bits = Forward(data)
    log = bits.read(4) + 5
    if log > most_log:
        raise ZstdError(f"a table of 2**{log} states")
    left, shares = 1 << log, []
    while left > 0:
        width = (left + 1).bit_length()
        value = bits.read(width)
        low, few = (1 << width - 1) - 1, (1 << width) - 2 - left
        if value & low < few:
            bits.at -= 1
            value &= low
        elif value > low:
            value -= few
        shares.append(value - 1)
        left -= abs(value - 1)
        again = 3 if value == 1 else 0
        while again == 3:
            again = bits.read(2)
            shares += [0] * again
    if left or len(shares) > most_symbols:
        raise ZstdError(f"a table of {len(shares)} symbols")
    return make_table(log, shares), (bits.at + 7) // 8


class Huffman:
    def __init__(self, weights):
        total = sum(1 << weight - 1 for weight in weights if weight)
        if not total:
            raise ZstdError("a code without symbols")
        self.longest = total.bit_length()
        rest = (1 << self.longest) - total
        if rest & rest - 1 or self.longest > 11:
            raise ZstdError("a code that does not add up")
        weights = [*weights, rest.bit_length()]
        self.codes = []
        for weight in range(1, self.longest + 1):
            for symbol, found in enumerate(weights):
                if found == weight:
                    self.codes += [(symbol, self.longest + 1 - weight)] * (1 << weight - 1)

    def stream(self, data, count):
        bits, out = Backward(data), bytearray()
        codes, longest = self.codes, self.longest
        for _ in range(count):
            symbol, used = codes[bits.read(longest)]
            bits.left += longest - used
            out.append(symbol)
        if bits.left != 0:
            raise ZstdError(f"{bits.left} bits left of literals")
        return bytes(out)


def read_huffman(data):
    head = data[0]
    if head >= 128:
        count = head - 127
        used = 1 + (count + 1) // 2
        weights = [nibble for byte in data[1:used] for nibble in (byte >> 4, byte & 15)][:count]
        return Huffman(weights), used
    body = data[1 : 1 + head]
    table, used = read_table(body, 6, 256)
    bits, weights = Backward(body[used:]), []
    states = [table.start(bits), table.start(bits)]
    while len(weights) < 255:
        for turn in (0, 1):
            weights.append(table.states[states[turn]][0])
            states[turn] = table.advance(states[turn], bits)
            if bits.left < 0:
                weights.append(table.states[states[1 - turn]][0])
                return Huffman(weights), 1 + head
    raise ZstdError("too many weights")


class Decoder:
    """One frame's state from block to block."""

    def __init__(self, most):
        self.out, self.most = bytearray(), most
        self.recent = [1, 4, 8]
        self.huffman = None
        self.tables = [None, None, None]

    def room(self, count):
        if len(self.out) + count > self.most:
            raise TooMuch(f"more than {self.most} bytes")

    def literals(self, block):
        """The literals and the bytes they took."""
        kind, form = block[0] & 3, block[0] >> 2 & 3
        if kind < 2:
            size, shift = ((1, 3), (2, 4), (1, 3), (3, 4))[form]
            count = int.from_bytes(block[:size], "little") >> shift
            self.room(count)
            if kind == 1:
                return block[size : size + 1] * count, size + 1
            return block[size : size + count], size + count
        size, width = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
        numbers = int.from_bytes(block[:size], "little") >> 4
        count, length = numbers & (1 << width) - 1, numbers >> width
        self.room(count)
        data, end = block[size : size + length], size + length
        if kind == 2:
            self.huffman, used = read_huffman(data)
            data = data[used:]
        if self.huffman is None:
            raise ZstdError("no code to repeat")
        if form == 0:
            return self.huffman.stream(data, count), end
        sizes = struct.unpack_from("<3H", data)
        quarter, at, parts = (count + 3) // 4, 6, []
        for size in (*sizes, len(data) - 6 - sum(sizes)):
            wanted = min(quarter, count - quarter * len(parts))
            parts.append(self.huffman.stream(data[at : at + size], wanted))
            at += size
        return b"".join(parts), end

    def table(self, index, mode, block, at):
        shares, log, most_log = (
            (DEFAULT_LENGTHS, 6, 9), (DEFAULT_OFFSETS, 5, 8), (DEFAULT_MATCHES, 6, 9),
        )[index]  # fmt: skip
        if mode == 0:
            self.tables[index] = make_table(log, shares)
        elif mode == 1:
            self.tables[index] = Table(0, [(block[at], 0, 0)])
            at += 1
        elif mode == 2:
            self.tables[index], used = read_table(block[at:], most_log, 64)
            at += used
        elif self.tables[index] is None:
            raise ZstdError("no table to repeat")
        return at

    def offset(self, value, length):
        recent = self.recent
        if value > 3:
            recent[:] = [value - 3, *recent[:2]]
            return recent[0]
        index = value - (length > 0)
        found = recent[index] if index < 3 else recent[0] - 1
        if index:
            recent.pop(min(index, 2))
            recent.insert(0, found)
        return found

    def block(self, block):
        literals, at = self.literals(block)
        count, at = block[at], at + 1
        if 128 <= count < 255:
            count, at = (count - 128 << 8) + block[at], at + 1
        elif count == 255:
            count, at = 0x7F00 + int.from_bytes(block[at : at + 2], "little"), at + 2
        if count == 0:
            self.room(len(literals))
            self.out += literals
            return
        modes, at = block[at], at + 1
        for index in range(3):
            at = self.table(index, modes >> 6 - 2 * index & 3, block, at)
        bits, taken = Backward(block[at:]), 0
        lengths, offsets, matches = self.tables
        states = [table.start(bits) for table in self.tables]
        for turn in range(count):
            code = offsets.states[states[1]][0]
            offset_value = (1 << code) + bits.read(code)
            base, extra = MATCHES[matches.states[states[2]][0]]
            match = base + bits.read(extra)
            base, extra = LENGTHS[lengths.states[states[0]][0]]
            length = base + bits.read(extra)
            if turn < count - 1:
                states[0] = lengths.advance(states[0], bits)
                states[2] = matches.advance(states[2], bits)
                states[1] = offsets.advance(states[1], bits)
            offset = self.offset(offset_value, length)
            self.room(length + match)
            self.out += literals[taken : taken + length]
            taken += length
            if not 0 < offset <= len(self.out) or taken > len(literals):
                raise ZstdError(f"a match {offset} bytes back of {len(self.out)}")
            start = len(self.out) - offset
            piece = self.out[start : start + match]
            self.out += (piece * (match // len(piece) + 1))[:match]
        if bits.left != 0:
            raise ZstdError(f"{bits.left} bits left of sequences")
        self.room(len(literals) - taken)
        self.out += literals[taken:]


def decompress(data, most):
    """The content of one frame, which must be all of `data`, if it is no longer than `most` bytes."""
    try:
        return _decompress(bytes(data), most)
    except (IndexError, struct.error) as error:
        raise ZstdError(f"cut off or out of range: {error}") from None


def _decompress(data, most):
    magic, descriptor = struct.unpack_from("<IB", data)
    single, at = descriptor >> 5 & 1, 5
    if magic != MAGIC or descriptor & 0x0B:
        raise ZstdError(f"magic {magic:#x}, descriptor {descriptor:#x}")
    if not single:
        base = 1 << 10 + (data[at] >> 3)
        window, at = base + base // 8 * (data[at] & 7), at + 1
    size = (single, 2, 4, 8)[descriptor >> 6]
    told = int.from_bytes(data[at : at + size], "little") + 256 * (size == 2) if size else None
    at += size
    if told is not None and told > most:
        raise TooMuch(f"{told} bytes told, where {most} are allowed")
    longest = min(BLOCK_MAX, told if single else window)
    decoder, last = Decoder(most), False
    while not last:
        head = int.from_bytes(data[at : at + 3], "little")
        last, kind, size, at = head & 1, head >> 1 & 3, head >> 3, at + 3
        if kind > COMPRESSED or size > longest:
            raise ZstdError(f"a block of kind {kind} with {size} bytes, where {longest} are allowed")
        taken = 1 if kind == RLE else size
        block, at = data[at : at + taken], at + taken
        if len(block) != taken:
            raise ZstdError("a block is cut off")
        if kind == COMPRESSED:
            decoder.block(block)
            continue
        decoder.room(size)
        decoder.out += block if kind == RAW else block * size
    if told not in (None, len(decoder.out)):
        raise ZstdError(f"{len(decoder.out)} bytes, not {told} as told")
    if descriptor >> 2 & 1:
        wanted, at = data[at : at + 4], at + 4
        if (xxh64(decoder.out) & 0xFFFFFFFF).to_bytes(4, "little") != wanted:
            raise ZstdError("the content's checksum is wrong")
    if at != len(data):
        raise ZstdError(f"{len(data) - at} bytes behind the frame")
    return bytes(decoder.out)
