"""One process produces frames, another consumes them: here each frame is a line of text.

    python producer_consumer.py consume NAME
    python producer_consumer.py produce NAME      # in another terminal; type, then end the input

Either may be the Rust example `producer_consumer` instead. Needs zerobuffer-ipc 1.3.0.
"""

import sys
import time

from zerobuffer import BufferConfig, Reader, Writer, WriterDeadException, ZeroBufferException


def connect(name, patience=60.0):
    """The consumer creates the buffer; the package does not wait for it."""
    end = time.monotonic() + patience
    while True:
        try:
            return Writer(name)
        except ZeroBufferException:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def produce(name):
    with connect(name) as writer:
        for line in sys.stdin:
            writer.write_frame(line.rstrip("\n").encode())


def consume(name):
    with Reader(name, BufferConfig(metadata_size=4096, payload_size=1 << 20)) as reader:
        lines = 0
        while True:
            try:
                frame = reader.read_frame(timeout=1.0)
            except WriterDeadException:
                if lines:
                    return  # the producer closed, and every line is read
                continue  # said, too, as long as no producer has come
            if frame is None:
                continue
            with frame:
                print(bytes(frame.data).decode(), flush=True)
            lines += 1


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
