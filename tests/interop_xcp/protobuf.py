"""How do EtherProto and the control messages look in Protobuf, written by hand?

    EtherProto  kind 1, schema_version 2, payload 3, metadata 4, extra_fields 5 (each map<string, bytes>),
                attachments 6 {id 1, uri 2, media_type 3, codec 4, shape 5, dtype 6, size_bytes 7, inline_bytes 8}

A map's value is text as UTF-8, bytes as they are, anything else as compact JSON. Which is which stands in fields the
reference does not know: 100 to 102 name the keys of payload, metadata and extra fields that are JSON, 103 to 105 those
that are bytes. Without them everything is text, as the reference has it.
"""

import json
import struct

MAPS = {3: "payload", 4: "metadata", 5: "extra_fields"}
FIRST_JSON, FIRST_BYTES = 100, 103
ATTACHMENT = {
    1: "id",
    2: "uri",
    3: "media_type",
    4: "codec",
    5: "shape",
    6: "dtype",
    7: "size_bytes",
    8: "inline_bytes",
}


class ProtobufError(Exception):
    pass


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data, at, most=1 << 64):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufError("a varint without end")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            if value >= most:
                raise ProtobufError(f"a varint of {value}")
            return value, at


def integer(field, value):
    return varint(field << 3) + varint(value) if value else b""


def chunk(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def text(field, value):
    return chunk(field, value.encode()) if value else b""


def fields(data):
    """Each field's number and value, bytes or a number."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at, 1 << 32)
        kind = tag & 7
        if tag >> 3 == 0 or kind not in (0, 1, 2, 5):
            raise ProtobufError(f"tag {tag}")
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length, at = read_varint(data, at)
            if at + length > len(data):
                raise ProtobufError(f"{length} bytes are not there")
            value, at = data[at : at + length], at + length
            if kind != 2:
                value = struct.unpack("<Q" if kind == 1 else "<I", value)[0]
        yield tag >> 3, value


def numbers(value):
    """A repeated number: one of them, or many packed."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        found.append(number)
    return found


# --- Ether -------------------------------------------------------------------------------------------------------


def as_bytes(value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, separators=(",", ":")).encode()


def as_python_text(value):
    """What the reference puts in: `str` of anything, of bytes too."""
    return str(value).encode()


def encode_ether(ether, marked=True, value_bytes=as_bytes):
    out = text(1, ether["kind"]) + integer(2, ether["schema_version"])
    for number, name in MAPS.items():
        for key, value in ether.get(name, {}).items():
            out += chunk(number, chunk(1, key.encode()) + chunk(2, value_bytes(value)))
    for item in ether.get("attachments", []):
        entry = b"".join(text(n, item.get(ATTACHMENT[n]) or "") for n in (1, 2, 3, 4))
        if item.get("shape"):
            entry += chunk(5, b"".join(varint(n) for n in item["shape"]))
        entry += text(6, item.get("dtype") or "") + integer(7, item.get("size_bytes") or 0)
        if item.get("inline_bytes"):
            entry += chunk(8, item["inline_bytes"])
        out += chunk(6, entry)
    if marked:
        for number, name in MAPS.items():
            for key, value in ether.get(name, {}).items():
                if isinstance(value, (bytes, bytearray)):
                    out += chunk(FIRST_BYTES + number - 3, key.encode())
                elif not isinstance(value, str):
                    out += chunk(FIRST_JSON + number - 3, key.encode())
    return out


def decode_ether(data):
    ether = {"kind": "", "schema_version": 0, "payload": {}, "metadata": {}, "extra_fields": {}, "attachments": []}
    json_keys, bytes_keys = {3: set(), 4: set(), 5: set()}, {3: set(), 4: set(), 5: set()}
    for number, value in fields(data):
        if number == 1:
            ether["kind"] = value.decode()
        elif number == 2:
            ether["schema_version"] = value
        elif number in MAPS:
            entry = {1: b"", 2: b"", **dict(fields(value))}
            ether[MAPS[number]][entry[1].decode()] = entry[2]
        elif number == 6:
            ether["attachments"].append(decode_attachment(value))
        elif FIRST_JSON <= number < FIRST_JSON + 3:
            json_keys[number - FIRST_JSON + 3].add(value.decode())
        elif FIRST_BYTES <= number < FIRST_BYTES + 3:
            bytes_keys[number - FIRST_BYTES + 3].add(value.decode())
    for number, name in MAPS.items():
        for key, value in ether[name].items():
            if key in json_keys[number]:
                ether[name][key] = json.loads(value)
            elif key not in bytes_keys[number]:
                try:
                    ether[name][key] = value.decode()
                except UnicodeDecodeError:
                    pass
    if ether["schema_version"] < 1:
        raise ProtobufError("schema_version is 0 or missing: not an Ether")
    return ether


def decode_attachment(data):
    found = dict.fromkeys(ATTACHMENT.values())
    for number, value in fields(data):
        name = ATTACHMENT.get(number)
        if name == "shape":
            found["shape"] = (found["shape"] or []) + numbers(value)
        elif name in ("size_bytes", "inline_bytes"):
            found[name] = value or None
        elif name:
            found[name] = value.decode() or None
    return found


# --- control messages --------------------------------------------------------------------------------------------


HELLO_KINDS = {3: "accepts", 4: "emits"}
KIND_RANGE = {1: "kind_id", 2: "major", 3: "min_minor", 4: "max_minor"}


def encode_hello(hello):
    """Hello{codecs 1, max_frame_bytes 2, accepts 3, emits 4, shared_mem 5}"""
    out = chunk(1, b"".join(varint(codec) for codec in hello["codecs"])) + integer(2, hello["max_frame_bytes"])
    for number, name in HELLO_KINDS.items():
        for kind in hello[name]:
            out += chunk(number, b"".join(integer(n, kind[part]) for n, part in KIND_RANGE.items()))
    return out + integer(5, int(hello["shared_mem"]))


def decode_hello(data):
    hello = {"codecs": [], "max_frame_bytes": 0, "shared_mem": False, "accepts": [], "emits": []}
    for number, value in fields(data):
        if number == 1:
            hello["codecs"] += numbers(value)
        elif number == 2:
            hello["max_frame_bytes"] = value
        elif number in HELLO_KINDS:
            kind = dict(fields(value))
            hello[HELLO_KINDS[number]].append({part: kind.get(n, 0) for n, part in KIND_RANGE.items()})
        elif number == 5:
            hello["shared_mem"] = bool(value)
    return hello


def encode_nack(msg_id, error_code, retry_after_ms=0):
    return integer(1, msg_id) + integer(2, error_code) + integer(3, retry_after_ms)


def decode_nack(data):
    found = dict(fields(data))
    return {"msg_id": found.get(1, 0), "error_code": found.get(2, 0), "retry_after_ms": found.get(3, 0)}
