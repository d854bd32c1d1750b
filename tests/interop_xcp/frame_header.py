"""What does a frame's header say, and how does it look in JSON?"""

import json
from dataclasses import dataclass, field


class HeaderError(Exception):
    """A header that cannot be read."""


@dataclass(frozen=True)
class SchemaKey:
    ns_hash: int = 0
    kind_id: int = 0
    major: int = 0
    minor: int = 0
    hash128: bytes = b""  # 16 bytes, or none for "unset"


@dataclass
class Header:
    channel_id: int = 0
    msg_type: int = 0x0100
    body_codec: int = 1
    schema_key: SchemaKey | None = None
    msg_id: int = 0
    in_reply_to: int = 0
    tags: list[tuple[str, str]] = field(default_factory=list)


def write_json(header):
    key = header.schema_key or SchemaKey()
    return json.dumps(
        {
            "channelId": header.channel_id,
            "msgType": header.msg_type,
            "bodyCodec": header.body_codec,
            "schemaKey": {
                "nsHash": key.ns_hash,
                "kindId": key.kind_id,
                "major": key.major,
                "minor": key.minor,
                "hash128": (key.hash128 or bytes(16)).hex(),
            },
            "msgId": header.msg_id,
            "inReplyTo": header.in_reply_to,
            "tags": [{"key": key, "val": value} for key, value in header.tags],
        },
        separators=(",", ":"),
    ).encode("ascii")


def read_json(data):
    """Every key may be missing, and unknown ones are passed over; `{}` is DATA in JSON."""
    try:
        fields = json.loads(data.decode())
        key = fields.get("schemaKey", {})
        hash128 = bytes.fromhex(key.get("hash128", ""))
        schema_key = SchemaKey(
            *(key.get(name, 0) for name in ("nsHash", "kindId", "major", "minor")), hash128 if any(hash128) else b""
        )
        return Header(
            fields.get("channelId", 0),
            fields.get("msgType", 0x0100),
            fields.get("bodyCodec", 1),
            None if schema_key == SchemaKey() else schema_key,
            fields.get("msgId", 0),
            fields.get("inReplyTo", 0),
            [(tag["key"], tag["val"]) for tag in fields.get("tags", [])],
        )
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise HeaderError(f"not a header in JSON: {error!r}") from None
