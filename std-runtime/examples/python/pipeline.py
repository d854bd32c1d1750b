"""Three processes in a row: a camera, a stage that brightens each picture, a display that writes them to a file.

    python pipeline.py display BRIGHT pictures.pgm
    python pipeline.py enhance RAW BRIGHT            # in another terminal
    python pipeline.py camera RAW 100                # in a third

Each may be the Rust example `pipeline` instead. Needs zerobuffer-ipc 1.3.0 and numpy.
"""

import sys

import numpy
from producer_consumer import connect
from zerobuffer import BufferConfig, Reader, WriterDeadException

WIDTH, HEIGHT = 64, 48


def pictures(reader):
    """Every picture as an array, a copy, until the stage before has closed."""
    count = 0
    while True:
        try:
            frame = reader.read_frame(timeout=1.0)
        except WriterDeadException:
            if count:
                return
            continue  # said, too, as long as the stage before has not come
        if frame is None:
            continue
        with frame:
            picture = numpy.frombuffer(bytes(frame.data), dtype=numpy.uint8)
        count += 1
        yield picture


def create(name):
    return Reader(name, BufferConfig(metadata_size=4096, payload_size=1 << 20))


def camera(raw, count):
    with connect(raw) as writer:
        for number in range(int(count)):
            writer.write_frame(((numpy.arange(WIDTH * HEIGHT) + number) % 256).astype(numpy.uint8).tobytes())


def enhance(raw, bright):
    with create(raw) as reader, connect(bright) as writer:
        for picture in pictures(reader):
            writer.write_frame(numpy.minimum(picture.astype(int) + 40, 255).astype(numpy.uint8).tobytes())


def display(bright, path):
    with create(bright) as reader, open(path, "wb") as file:
        for picture in pictures(reader):
            file.write(f"P5 {WIDTH} {HEIGHT} 255\n".encode() + picture.tobytes())  # a portable grey map


if __name__ == "__main__":
    {"camera": camera, "enhance": enhance, "display": display}[sys.argv[1]](*sys.argv[2:])
