"""A server that answers requests, and its client: here each request is a line of text, answered in capitals.

    python request_response.py serve NAME         # until its client has gone
    python request_response.py ask NAME           # in another terminal; type lines

Either may be the Rust example `request_response` instead. Needs zerobuffer-ipc 1.3.0.
"""

import sys
import time

from zerobuffer import BufferConfig
from zerobuffer.duplex import DuplexChannelFactory

# What a Strait server sends in place of a response: the handler's words follow.
FAILED = b"\0strait-error/1\n"


def answer(request, responses):
    responses.write_frame(bytes(request.data).decode().upper().encode())


def serve(name):
    config = BufferConfig(metadata_size=4096, payload_size=1 << 20)
    server = DuplexChannelFactory().create_immutable_server(name, config, timeout=5.0)
    server.start(answer)
    # It ends by itself: when no client comes for 5 s, and up to 5 s after its client has gone.
    while server.is_running:
        time.sleep(0.1)


def ask(name):
    with DuplexChannelFactory().create_client(name) as client:
        for line in sys.stdin:
            client.send_request(line.rstrip("\n").encode())
            with client.receive_response(timeout_ms=60_000) as response:
                if not response.is_valid:
                    raise TimeoutError("no response in 60 s")
                data = response.to_bytes()
            if data.startswith(FAILED):
                print("failed:", data.removeprefix(FAILED).decode(), flush=True)
            else:
                print(data.decode(), flush=True)


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
