//! How bytes that somebody else wrote are shown: nothing in them reaches the terminal as a command.

use core::fmt::Write as _;

/// Text where `bytes` are UTF-8, with everything that is not printable escaped as in a Rust string; `\xNN` elsewhere.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        // Escapes controls, and what turns or hides text: formatting characters and combining marks.
        for character in chunk.valid().chars() {
            match character {
                '"' | '\'' => text.push(character),
                _ => text.extend(character.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Lines of 16 bytes: offset, hexadecimal, and the printable ASCII characters.
pub(crate) fn hex_dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, bytes) in bytes.chunks(16).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x} ")).collect();
        let ascii: String = bytes
            .iter()
            .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:08x}  {hex:<48} |{ascii}|", line * 16);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_stays_as_it_is() {
        let text = r#"{"title": "Größe 640×480"}"#;
        assert_eq!(printable(text.as_bytes()), text);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let hostile = b"\x1b]0;owned\x07\x1b[2J\xc2\x9b31m\r\n\x00\xff\xe2\x80\xae\x7f";
        let shown = printable(hostile);
        assert!(shown.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{shown}");
        assert_eq!(shown, r"\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\n\0\xff\u{202e}\u{7f}");
    }

    #[test]
    fn a_dump_has_sixteen_bytes_a_line() {
        assert_eq!(
            hex_dump(b"0123456789abcdef\x1b"),
            "  00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  |0123456789abcdef|\n  \
             00000010  1b                                               |.|\n"
        );
    }
}
