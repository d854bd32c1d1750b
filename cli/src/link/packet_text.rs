//! What does a packet of a link say, on a line for people?

use core::fmt::Write as _;
use core::time::Duration;

use strait::hqq::{Profile, Side, Trace};
use strait_core::hqq::packet::{Offer, Operation, Packet};

/// A line: time, who sent, position in its ring, opcode, operands by name. Operands of what nobody has defined are numbers.
pub(super) fn text(at: Duration, from: Side, seen: &Trace, profile: Profile) -> String {
    let mut line = format!("{:<12.6}{:<10}", at.as_secs_f64(), from.to_string());
    // Writing to a String cannot fail.
    let _ = match seen {
        Trace::Packet { position, packet } => {
            writeln!(line, "{position:<8}{} {}", packet.opcode(), operands(packet, profile))
        }
        Trace::Missed { position, count } => writeln!(line, "{position:<8}missed {count} packets"),
    };
    line
}

fn operands(packet: &Packet, profile: Profile) -> String {
    let Ok(operation) = packet.parse(profile) else {
        let [word, operands @ ..] = packet.0;
        let operands = operands.map(|operand| format!("{operand:#x}"));
        return format!("word0={word:#x} operands={}", operands.join(","));
    };
    match operation {
        Operation::Error { context, code } => format!("context={context} code={} ({code})", code.0),
        Operation::Create { connection } | Operation::Accept { connection } => {
            format!("connection={connection}")
        }
        Operation::Close { connection, reason } => format!("connection={connection} reason={reason}"),
        Operation::Chunk(chunk) => format!(
            "connection={} message={} total={} offset={} len={} flags={:#x} aux={}",
            chunk.connection, chunk.message, chunk.total, chunk.offset, chunk.len, chunk.flags.0, chunk.aux
        ),
        Operation::Negotiate(offer) | Operation::Ack(offer) => offered(&offer, packet),
        Operation::Credit { connection, limit } => format!("connection={connection} limit={limit}"),
        Operation::Acknowledge { connection, message } => {
            format!("connection={connection} message={message}")
        }
        Operation::AskStatistics => "asks".to_owned(),
        Operation::Statistics(told) => format!(
            "messages_sent={} bytes_sent={} messages_received={} bytes_received={} calls={} errors={}",
            told.messages_sent,
            told.bytes_sent,
            told.messages_received,
            told.bytes_received,
            told.calls,
            told.errors
        ),
        Operation::Tombstone { copy, slot, reason } => {
            format!("copy={copy} slot={slot} reason={} ({reason})", reason.0)
        }
        Operation::Copy { copy, buffer, len: 0 } => format!("copy={copy} buffer={buffer} len=0 (given up)"),
        Operation::Copy { copy, buffer, len } => format!("copy={copy} buffer={buffer} len={len}"),
    }
}

/// Versions, names of bits, and the words as they stand: upper bits of the first name handles.
fn offered(offer: &Offer, packet: &Packet) -> String {
    let [_, version, features, capabilities, ..] = packet.0;
    let (named, able) = (offer.features.names(), offer.capabilities.names());
    let marked = if offer.salt.is_some() { " by Strait" } else { "" };
    format!(
        "version={} features={} capabilities={} words={version:#x},{features:#x},{capabilities:#x}{marked}",
        offer.version,
        list(named),
        list(able)
    )
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join("|") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_has_names_and_what_is_not_has_numbers() {
        for (words, said) in [
            ([0xff, 9, 1, 6, 0, 0, 0, 0], "COPY copy=9 buffer=1 len=6"),
            ([0xff, 9, 1, 0, 0, 0, 0, 0], "COPY copy=9 buffer=1 len=0 (given up)"),
            ([0xfe, 9, 1, 6, 0, 0, 0, 0], "TOMBSTONE copy=9 slot=1 reason=6 (invalid operation)"),
            (
                [4, 1, 2, 3, 0, 3, 11, 7],
                "CONN_COPY connection=1 message=2 total=3 offset=0 len=3 flags=0xb aux=7",
            ),
            (
                [5, 0x100, 3, 1, 0, 0, 0, 0],
                "PROTO_NEGOTIATE version=1.0 features=LARGE_COPY|REQUEST_RESPONSE capabilities=LARGE_BUFFERS \
                 words=0x100,0x3,0x1",
            ),
            (
                [6, 0x100, 0, 0, 0, 0, 0, 0],
                "PROTO_ACK version=1.0 features=none capabilities=none words=0x100,0x0,0x0",
            ),
            ([0x42, 1, 2, 3, 4, 5, 6, 255], "0x42 word0=0x42 operands=0x1,0x2,0x3,0x4,0x5,0x6,0xff"),
        ] {
            let seen = Trace::Packet { position: 5, packet: Packet(words) };
            let line = text(Duration::from_millis(1500), Side::Primary, &seen, Profile::Superblock);
            assert_eq!(line, format!("1.500000    primary   5       {said}\n"));
        }
        let missed = Trace::Missed { position: 7, count: 3 };
        let line = text(Duration::ZERO, Side::Secondary, &missed, Profile::Seed);
        assert_eq!(line, "0.000000    secondary 7       missed 3 packets\n");
    }
}
