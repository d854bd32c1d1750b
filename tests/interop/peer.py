"""The other end: a process that does with the real zerobuffer package what it is told, one line of JSON at a time.

Every answer is one line of JSON; a failure is `{"error": class, "text": message}`. End of input ends it.
"""

import json
import os
import random
import sys
import time

import frames
from zerobuffer import BufferConfig, Reader, WriterDeadException, Writer

ends = {}


def create(name, metadata=1024, payload=1 << 20):
    ends["reader"] = Reader(name, BufferConfig(metadata_size=metadata, payload_size=payload))
    return {}


def connect(name):
    ends["writer"] = Writer(name)
    return {}


def close(end):
    ends.pop(end).close()
    return {}


def get_metadata():
    view = ends["reader"].get_metadata()
    if view is None:
        return {"metadata": None}
    text = bytes(view).decode()
    view.release()
    return {"metadata": text}


def set_metadata(text):
    ends["writer"].set_metadata(text.encode())
    return {}


def expected_sizes(sizes, count):
    if isinstance(sizes, list):
        return [sizes[k % len(sizes)] for k in range(count)]
    if isinstance(sizes, dict):
        return frames.sizes(sizes["low"], sizes["high"], sizes["seed"], count)
    return [sizes] * count


def read(count, sizes=None, first=0, timeout=20.0, pattern="sequential", seed=0):
    """Reads and checks `count` frames; stops early at the end of the stream, at silence, and at a wrong frame."""
    reader = ends["reader"]
    lengths = None if sizes is None else expected_sizes(sizes, count)
    done, total = 0, 0

    def so_far(**more):
        return {"frames": done, "bytes": total, **more}

    for k in range(count):
        try:
            frame = reader.read_frame(timeout)
        except WriterDeadException:
            return so_far(end="WriterDeadException")
        except Exception as error:
            return so_far(error=type(error).__name__, text=f"frame {k}: {error}")
        if frame is None:
            return so_far(end="silence")
        with frame:
            data = bytes(frame.data)
            sequence = frame.sequence
        if lengths is not None and len(data) != lengths[k]:
            return so_far(error="length", text=f"frame {k} has {len(data)} bytes, not {lengths[k]}")
        wanted = frames.sequential(first + k, len(data)) if pattern == "sequential" else None
        wanted = frames.random(first + k, len(data), seed) if pattern == "random" else wanted
        if data != wanted:
            return so_far(error="content", text=f"frame {k} of {len(data)} bytes differs")
        if sequence != first + k + 1:
            return so_far(error="sequence", text=f"frame {k} has number {sequence}")
        done, total = done + 1, total + len(data)
    return so_far(end="count")


def take(timeout=20.0):
    """Reads one frame and keeps it; `give` returns its space."""
    ends["frame"] = ends["reader"].read_frame(timeout)
    frame = ends["frame"]
    return {"length": None} if frame is None else {"length": len(frame), "sequence": frame.sequence}


def give():
    ends.pop("frame").dispose()
    return {}


def write(count, sizes, first=0, in_place=False, seed=0):
    """Writes `count` frames of the lengths in `sizes`, over and over, or drawn from a pair."""
    writer = ends["writer"]
    draw = random.Random(seed)
    total = 0
    for k in range(count):
        if isinstance(sizes, dict):
            length = draw.randint(sizes["low"], sizes["high"])
        else:
            length = sizes[k % len(sizes)] if isinstance(sizes, list) else sizes
        data = frames.sequential(first + k, length)
        try:
            if in_place:
                buffer = writer.get_frame_buffer(length)
                buffer[:] = data
                buffer.release()
                writer.commit_frame()
            else:
                writer.write_frame(data)
        except Exception as error:
            return {"frames": k, "bytes": total, "error": type(error).__name__, "text": f"frame {k}: {error}"}
        total += length
    return {"frames": count, "bytes": total}


def relay(timeout=20.0):
    """Copies frames, lent in place, from the reader to the writer until the stream ends."""
    done = 0
    while True:
        try:
            frame = ends["reader"].read_frame(timeout)
        except WriterDeadException:
            return {"frames": done, "end": "WriterDeadException"}
        if frame is None:
            return {"frames": done, "end": "silence"}
        with frame:
            ends["writer"].write_frame(frame.data)
        done += 1


OPERATIONS = {
    call.__name__: call
    for call in (create, connect, close, get_metadata, set_metadata, read, take, give, write, relay)
}


def main(operations):
    """Does what it is told until its input ends."""
    # The package may print; its lines must not be taken for answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        command = json.loads(line)
        started = time.monotonic()
        try:
            answer = operations[command.pop("do")](**command)
        except Exception as error:
            answer = {"error": type(error).__name__, "text": str(error)}
        answer["seconds"] = round(time.monotonic() - started, 3)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(OPERATIONS)
