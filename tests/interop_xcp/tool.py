"""Which command lines does `strait xcp` take, and what does it print? The only file that knows."""

import json

# Set by main.py.
PROGRAM = None
# What the server prints once it can be reached; the address follows.
LISTENING = "listening on "
# The longest whole message, after decompression and from chunks, that it accepts by default.
LONGEST_MESSAGE = 64 << 20


def command(*words):
    if PROGRAM is None:
        raise AssertionError("no --strait given")
    return [PROGRAM, "xcp", *map(str, words)]


def serve(listen="tcp://127.0.0.1:0", dialect="auto", max_frame=None, features=None):
    words = ["serve", "--listen", listen, "--echo", "--dialect", dialect]
    if max_frame is not None:
        words += ["--max-frame", max_frame]
    if features is not None:
        words += ["--features", features]
    return command(*words)


def address_in(line):
    """The address in the server's first line, e.g. tcp://127.0.0.1:40123."""
    if not line.startswith(LISTENING):
        raise AssertionError(f"not the line of a server that listens: {line!r}")
    return line[len(LISTENING) :].strip()


def client(words, dialect, compress=False):
    words = [*words, "--dialect", dialect] if dialect else list(words)
    return command(*words, *(["--compress"] if compress else []))


def ping(address, dialect=None):
    return client(["ping", address], dialect)


def send_json(address, path, dialect=None, compress=False):
    return client(["send", address, "--json", path], dialect, compress)


def send_tensor(address, path, dialect=None, compress=False, as_codec=None):
    words = ["--as-codec", as_codec] if as_codec else []
    return client(["send", address, "--tensor", path, *words], dialect, compress)


def send_file(address, path, dialect=None, compress=False):
    return client(["send", address, "--file", path], dialect, compress)


def decode(path):
    return command("decode", path, "--json-output")


# What `decode` prints of one frame, as one object in JSON: its key for each thing that scenarios look at.
DECODED = {
    "channel_id": "channel_id",
    "body_codec": "body_codec",
    "msg_id": "msg_id",
    "in_reply_to": "in_reply_to",
    "payload_len": "payload_len",
}


def decoded(out):
    found = json.loads(out)
    return {name: found[key] for name, key in DECODED.items()}
