"""The other end of a duplex channel: the real package's server or client, told what to do as peer.py is.

The handler turns every bit over. A request that begins with `fail` raises, one that begins with `hold` is held until it
is let go.
"""

import os
import struct
import threading
import time

import peer
from zerobuffer import BufferConfig, platform
from zerobuffer.duplex import DuplexChannelFactory

ends = {}
seen = []
goes_on = threading.Event()
factory = DuplexChannelFactory()


def handle(request, responses):
    data = bytes(request.data)
    if data.startswith(b"fail"):
        raise ValueError(data.decode())
    if data.startswith(b"hold"):
        seen.append(f"held {request.sequence}")
        goes_on.wait()
    responses.write_frame(bytes(byte ^ 0xFF for byte in data))


def serve(name, payload=1 << 20, timeout=5.0):
    """Returns before the buffer is there: the server's thread makes it."""
    server = factory.create_immutable_server(name, BufferConfig(metadata_size=4096, payload_size=payload), timeout)
    server.add_error_handler(lambda event: seen.append(f"{type(event.exception).__name__}: {event.exception}"))
    server.start(handle, on_init=lambda metadata: seen.append(f"init {bytes(metadata).decode()}"))
    ends["server"] = server
    return {}


def let_go():
    goes_on.set()
    return {}


def state():
    return {"running": ends["server"].is_running, "seen": seen}


def stop():
    ends["server"].stop()
    return {}


def connect(name, meet=False):
    """With `meet`, the client's buffer is complete but for its semaphores when the server connects to it."""
    create = platform.create_semaphore

    def create_later(*arguments):
        with open(f"/dev/shm/{name}_response", "rb") as buffer:
            while struct.unpack("<Q", os.pread(buffer.fileno(), 8, 0x50)) == (0,):
                time.sleep(0.002)
        return create(*arguments)

    platform.create_semaphore = create_later if meet else create
    ends["client"] = factory.create_client(name)
    platform.create_semaphore = create
    return {}


def describe(text):
    # The package's client has no call for it.
    ends["client"]._request_writer.set_metadata(text.encode())
    return {}


def send(data, in_place=False):
    client, data = ends["client"], bytes.fromhex(data)
    if not in_place:
        return {"sequence": client.send_request(data)}
    sequence, room = client.acquire_request_buffer(len(data))
    room[:] = data
    room.release()
    client.commit_request()
    return {"sequence": sequence}


def receive(timeout=60.0):
    with ends["client"].receive_response(int(timeout * 1000)) as response:
        return {"sequence": response.sequence, "data": response.to_bytes().hex()}


def connected():
    return {"connected": ends["client"].is_server_connected}


def close():
    ends.pop("client").close()
    return {}


if __name__ == "__main__":
    operations = (serve, let_go, state, stop, connect, describe, send, receive, connected, close)
    peer.main({call.__name__: call for call in operations})
