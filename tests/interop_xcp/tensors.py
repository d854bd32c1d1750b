"""How are numpy arrays and tensor bodies turned into each other?

    ndim u8 | dtype u8 | flags u8 | 0 | shape u32 x 6 | scale f32 | elements

32 bytes in front, hence at most 6 dimensions. 8-bit elements mean (u - 128) * scale; with a scale per row every row
has its own f32 in front of its bytes, and a row is the last dimension.
"""

import struct

import numpy as np

F32, F16, QNT8 = 0x0002, 0x0003, 0x0004
DTYPES = {F32: 0, F16: 1, QNT8: 2}
ROW_SCALES, COLUMN_MAJOR = 1, 2
MOST_DIMENSIONS = 6


class TensorError(Exception):
    pass


def tensor_header(shape, dtype, flags=0, scale=0.0):
    if not 1 <= len(shape) <= MOST_DIMENSIONS:
        raise TensorError(f"{len(shape)} dimensions")
    dimensions = [*shape, *[0] * (MOST_DIMENSIONS - len(shape))]
    return struct.pack("<BBBB6If", len(shape), dtype, flags, 0, *dimensions, scale)


def encode_f32(array):
    return tensor_header(array.shape, 0) + np.ascontiguousarray(array, "<f4").tobytes()


def encode_f16(array):
    return tensor_header(array.shape, 1) + np.ascontiguousarray(array, "<f2").tobytes()


def quantise(array, scale):
    return np.clip(np.rint(array / scale) + 128, 0, 255).astype(np.uint8)


def scale_of(array):
    return float(np.float32(max(np.abs(array).max() / 127, np.finfo(np.float32).tiny)))


def encode_qnt8(array, scale=None):
    scale = scale or scale_of(array)
    return tensor_header(array.shape, 2, 0, scale) + quantise(array, scale).tobytes()


def encode_qnt8_rows(array, scales=None, default=1.0):
    rows = array.reshape(-1, array.shape[-1])
    scales = scales or [scale_of(row) for row in rows]
    body = b"".join(struct.pack("<f", scale) + quantise(row, scale).tobytes() for row, scale in zip(rows, scales))
    return tensor_header(array.shape, 2, ROW_SCALES, default) + body


def decode(codec, body):
    """An array of the shape told; float32 where it was quantised."""
    if codec not in DTYPES or len(body) < 32:
        raise TensorError(f"{len(body)} bytes under codec {codec}")
    dimensions, dtype, flags, _, *shape, scale = struct.unpack_from("<BBBB6If", body)
    if not 1 <= dimensions <= MOST_DIMENSIONS or dtype != DTYPES[codec]:
        raise TensorError(f"{dimensions} dimensions of type {dtype} under codec {codec}")
    shape, data = shape[:dimensions], body[32:]
    count = 1
    for length in shape:
        count *= length
    order = "F" if flags & COLUMN_MAJOR else "C"
    per_row = flags & ROW_SCALES
    if per_row and (codec != QNT8 or order == "F"):
        raise TensorError("scales of rows, but not of rows of bytes")
    rows = count // shape[-1] if per_row and shape[-1] else 0
    wanted = count * {F32: 4, F16: 2, QNT8: 1}[codec] + 4 * rows
    if len(data) != wanted:
        raise TensorError(f"{len(data)} bytes of elements, not {wanted}")
    if codec != QNT8:
        return np.frombuffer(data, "<f4" if codec == F32 else "<f2").reshape(shape, order=order)
    if not per_row:
        elements = np.frombuffer(data, np.uint8).astype(np.float32)
        return ((elements - 128) * np.float32(scale)).reshape(shape, order=order)
    table = np.frombuffer(data, np.uint8).reshape(rows, -1)
    scales = np.ascontiguousarray(table[:, :4]).view("<f4")
    return ((table[:, 4:].astype(np.float32) - 128) * scales).reshape(shape)
