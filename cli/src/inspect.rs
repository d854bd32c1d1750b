//! `strait inspect`: shows every word of a buffer, changing none.

use core::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use strait::zerobuffer::{self, ABORTED, BufferInfo, ConnectError, State};

use crate::escape::{hex_dump, printable};
use crate::exit::Failure;
use crate::report;

/// Options of `strait inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Name of the buffer
    name: String,

    /// Prints JSON
    #[arg(long)]
    json: bool,

    /// Most unread frames to list
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    frames: usize,

    /// Shows words and positions in hexadecimal too, and metadata as a dump
    #[arg(long)]
    hex: bool,
}

/// Runs `strait inspect`.
pub(crate) fn run(args: InspectArgs) -> Result<(), Failure> {
    let info = zerobuffer::inspect(&args.name, args.frames).map_err(|error| match error {
        ConnectError::BadName { .. } => Failure::usage(error),
        ConnectError::BufferNotFound { name } => Failure::connect(format_args!("buffer {name:?} not found")),
        _ => Failure::connect(error),
    })?;
    report::print(&if args.json {
        report::json(&as_json(&info, args.hex))?
    } else {
        as_text(&info, args.hex)
    })
}

/// How `state` is called in all output.
pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::Dead => "dead",
        State::Unknown => "unknown",
        State::Foreign => "foreign",
        _ => "other",
    }
}

/// The words of the OIEB that count or place something, with the protocol's names and in its order.
fn words(info: &BufferInfo) -> [(&'static str, u64); 16] {
    let words = &info.words;
    let [reserved1, reserved2, reserved3, reserved4] = words.reserved;
    [
        ("oieb_size", u64::from(words.oieb_size)),
        ("metadata_size", words.metadata_size),
        ("metadata_free_bytes", words.metadata_free_bytes),
        ("metadata_written_bytes", words.metadata_written_bytes),
        ("payload_size", words.payload_size),
        ("payload_free_bytes", words.payload_free_bytes),
        ("payload_write_pos", words.payload_write_pos),
        ("payload_read_pos", words.payload_read_pos),
        ("payload_written_count", words.payload_written_count),
        ("payload_read_count", words.payload_read_count),
        ("writer_pid", words.writer_pid.0),
        ("reader_pid", words.reader_pid.0),
        ("reserved_1", reserved1),
        ("reserved_2", reserved2),
        ("reserved_3", reserved3),
        ("reserved_4", reserved4),
    ]
}

fn version(info: &BufferInfo) -> String {
    let [major, minor, patch, reserved] = info.words.version;
    match reserved {
        0 => format!("{major}.{minor}.{patch}"),
        _ => format!("{major}.{minor}.{patch} (reserved byte {reserved})"),
    }
}

/// Writing to a String cannot fail, so its results are dropped.
fn as_text(info: &BufferInfo, hex: bool) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:<24}{}", "buffer", info.name);
    let _ = writeln!(text, "{:<24}{}", "state", state_name(info.state));
    let _ = writeln!(text, "{:<24}{}", "evidence", printable(info.evidence.as_bytes()));
    if let Some(problem) = &info.problem {
        let _ = writeln!(text, "{:<24}{}", "problem", printable(problem.as_bytes()));
    }
    let _ = writeln!(text, "{:<24}{}", "segment_len", info.words.segment_len);
    let _ = writeln!(text, "{:<24}{}", "version", version(info));
    for (name, word) in words(info) {
        let _ = write!(text, "{name:<24}{word}");
        if hex {
            let _ = write!(text, "  0x{word:x}");
        }
        let alive = match name {
            "writer_pid" => Some(info.writer_alive),
            "reader_pid" => Some(info.reader_alive),
            _ => None,
        };
        let _ = writeln!(
            text,
            "{}",
            match alive {
                Some(_) if word == 0 => "  (none)",
                Some(_) if word == ABORTED => "  (gave up)",
                Some(true) => "  (alive)",
                Some(false) => "  (not alive)",
                None => "",
            }
        );
    }
    for (name, permits) in [("sem-w", info.data_ready), ("sem-r", info.space_free)] {
        let permits = permits.map_or_else(|| "absent".to_owned(), |permits| permits.to_string());
        let _ = writeln!(text, "{:<24}{permits}", format!("{name}-{}", info.name));
    }
    match &info.metadata {
        None => {
            let _ = writeln!(text, "{:<24}none", "metadata");
        }
        Some((bytes, len)) => {
            let _ = write!(text, "{:<24}{len} bytes", "metadata");
            let shown = if (bytes.len() as u64) < *len {
                format!(", the first {}", bytes.len())
            } else {
                String::new()
            };
            let _ = if hex {
                write!(text, "{shown}\n{}", hex_dump(bytes))
            } else {
                writeln!(text, "{shown}\n  {}", printable(bytes))
            };
        }
    }
    let _ = writeln!(text, "{:<24}{} listed", "unread", info.unread.len());
    for entry in &info.unread {
        let position = if hex { format!("0x{:x}", entry.position) } else { entry.position.to_string() };
        let _ = match (entry.sequence, entry.len) {
            (0, 0) => writeln!(text, "  at {position:<12} wrap marker"),
            (sequence, len) => writeln!(text, "  at {position:<12} frame {sequence}, {len} bytes"),
        };
    }
    text
}

fn as_json(info: &BufferInfo, hex: bool) -> Value {
    let mut value = json!({
        "name": info.name,
        "state": state_name(info.state),
        "evidence": info.evidence,
        "problem": info.problem,
        "segment_len": info.words.segment_len,
        "version": version(info),
        "reader_alive": info.reader_alive,
        "writer_alive": info.writer_alive,
        "sem_w": info.data_ready,
        "sem_r": info.space_free,
        "metadata_len": info.metadata.as_ref().map(|(_, len)| len),
        "metadata": info.metadata.as_ref().map(|(bytes, _)| printable(bytes)),
        "unread": info.unread.iter().map(|entry| json!({
            "position": entry.position,
            "size": entry.len,
            "sequence": entry.sequence,
            "wrap_marker": entry.len == 0 && entry.sequence == 0,
        })).collect::<Vec<_>>(),
    });
    for (name, word) in words(info) {
        value[name] = word.into();
    }
    if hex {
        let dump = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        value["metadata_hex"] = info.metadata.as_ref().map(|(bytes, _)| dump(bytes)).into();
    }
    value
}
