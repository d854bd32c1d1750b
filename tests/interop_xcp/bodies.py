"""What stands in the payload of a frame, by the kind of message and the codec?"""

import base64
import json

import protobuf
import tensors
import wire

JSON, PROTOBUF, MIXED_LATENT, ARROW_IPC, DLPACK = 0x0001, 0x0008, 0x0010, 0x0020, 0x0021
UNKNOWN_CODEC = 0x7777
DEFAULT_MAX_FRAME = 1 << 20
PACKED_FEATURE = "capnp-packed"
ATTACHMENT_KEYS = ("id", "uri", "media_type", "codec", "shape", "dtype", "size_bytes", "inline_bytes")


class BodyError(Exception):
    pass


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def parse(body):
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise BodyError(f"not JSON: {error}") from None


def fnv1a(name):
    """The kind's id in a schema key."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


# --- control messages --------------------------------------------------------------------------------------------


def hello(
    codecs=(JSON, PROTOBUF), max_frame_bytes=DEFAULT_MAX_FRAME, shared_mem=False, accepts=(), emits=(), **extension
):
    """The body of HELLO and CAPS; extension keys are `features`, `features_ext` and `version`."""
    return {
        "codecs": list(codecs),
        "max_frame_bytes": max_frame_bytes,
        "shared_mem": shared_mem,
        "accepts": list(accepts),
        "emits": list(emits),
        **extension,
    }


def read_hello(body, codec):
    if codec == PROTOBUF and body[:1] != b"{":
        return {**hello(codecs=(), features=0, features_ext=[]), **protobuf.decode_hello(body)}
    found = parse(body)
    if not isinstance(found, dict):
        raise BodyError(f"a HELLO that is {type(found).__name__}")
    if "max_frame" in found:
        found.setdefault("max_frame_bytes", found.pop("max_frame"))
    found = {**hello(codecs=(), features=0, features_ext=[]), **found}
    numbers = (
        [*found["codecs"], found["max_frame_bytes"], found["features"]] if isinstance(found["codecs"], list) else [-1]
    )
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise BodyError("a HELLO whose numbers are none")
    if not isinstance(found["features_ext"], list) or not found["max_frame_bytes"]:
        raise BodyError("a HELLO of no use")
    return found


def ack(msg_id):
    return compact({"msg_id": msg_id})


def nack(msg_id, error_code, retry_after_ms=0):
    return compact({"msg_id": msg_id, "error_code": error_code, "retry_after_ms": retry_after_ms})


def read_nack(body, codec=JSON):
    return protobuf.decode_nack(body) if codec == PROTOBUF and body[:1] != b"{" else parse(body)


def ping(nonce):
    return compact({"nonce": nonce})


def clarify(msg_id, reason, **more):
    """No document has a schema for it; the earlier version had reasons."""
    return compact({"msg_id": msg_id, "reason": reason, **more})


# --- Ether -------------------------------------------------------------------------------------------------------


def ether(kind, payload, metadata=None, extra_fields=None, attachments=(), schema_version=1):
    return {
        "kind": kind,
        "schema_version": schema_version,
        "payload": payload,
        "metadata": metadata or {},
        "extra_fields": extra_fields or {},
        "attachments": [{**dict.fromkeys(ATTACHMENT_KEYS), **item} for item in attachments],
    }


def json_ether(value):
    """Inline bytes become base64."""
    items = []
    for item in value["attachments"]:
        data = item["inline_bytes"]
        items.append({**item, "inline_bytes": None if data is None else base64.b64encode(data).decode()})
    return compact({**value, "attachments": items})


def read_json_ether(body):
    found = parse(body)
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        raise BodyError("an Ether without kind")
    version = found.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise BodyError(f"an Ether of schema_version {version!r}")
    items = []
    for item in found.get("attachments") or []:
        data = item.get("inline_bytes")
        items.append({**item, "inline_bytes": None if data is None else base64.b64decode(data, validate=True)})
    maps = [found.get(name) or {} for name in ("payload", "metadata", "extra_fields")]
    return ether(found["kind"], *maps, items, version)


def read_ether(codec, body):
    """Under codec 8 stock Python sends JSON; a body of Protobuf cannot start with `{`."""
    if codec == JSON or body[:1] == b"{":
        return read_json_ether(body)
    try:
        return protobuf.decode_ether(body)
    except (protobuf.ProtobufError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise BodyError(f"not an EtherProto: {error}") from None


# --- several tensors in one body ---------------------------------------------------------------------------------


def mixed_latent(segments):
    """`segments`: pairs of a tensor codec and its body, header included."""
    out = protobuf.varint(len(segments))
    for codec, body in segments:
        out += bytes([codec]) + protobuf.varint(len(body)) + body
    return out


def read_mixed_latent(body):
    count, at = protobuf.read_varint(body, 0)
    segments = []
    for _ in range(count):
        codec = body[at] if at < len(body) else 0
        if codec not in tensors.DTYPES:
            raise BodyError(f"segment of codec {codec}")
        length, at = protobuf.read_varint(body, at + 1)
        if at + length > len(body):
            raise BodyError(f"segment of {length} bytes, which are not there")
        segments.append((codec, body[at : at + length]))
        at += length
    if at != len(body):
        raise BodyError(f"{len(body) - at} bytes behind the last segment")
    return segments


def check(codec, body):
    """Whether a receiver that knows the codec can make something of the body; raises if not."""
    if codec in (JSON, PROTOBUF):
        read_ether(codec, body)
    elif codec in tensors.DTYPES:
        tensors.decode(codec, body)
    elif codec == MIXED_LATENT:
        for part_codec, part in read_mixed_latent(body):
            tensors.decode(part_codec, part)


BODY_ERRORS = (BodyError, tensors.TensorError, protobuf.ProtobufError, ValueError)
SPEC_CODECS = (JSON, tensors.F32, tensors.F16, tensors.QNT8, PROTOBUF, MIXED_LATENT)
ALL_FEATURES = wire.COMP | wire.MORE | wire.LARGE
