//! Who may open a buffer where there are no modes, and what a killed reader leaves where objects go with their process.

use strait::zerobuffer::{ConnectError, CreateError, Writer};
use strait_tests::TestName;

use crate::{peer, reader, reader_of, receive, send, writer};

#[test]
fn a_mode_or_group_that_windows_does_not_have_is_refused_by_name() {
    let name = TestName::new("mode-refused");
    for mode in [0, 0o400, 0o622, 0o640, 0o660, 0o777] {
        let error = reader_of(&name, 1024).mode(mode).create().expect_err("no such mode");
        assert!(matches!(error, CreateError::Os { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&*name) && text.contains(&format!("{mode:o}")), "{text}");
        name.assert_nothing_left();
    }
    let error = reader_of(&name, 1024).group(12_345).create().expect_err("no groups");
    assert!(error.to_string().contains(&*name) && error.to_string().contains("12345"), "{error}");
    name.assert_nothing_left();
}

#[test]
fn a_buffer_open_to_all_gives_copies_and_a_private_one_its_own_bytes() {
    let name = TestName::new("open-to-all");
    for (mode, used) in [(0o600, 128), (0o666, 0)] {
        let mut reader = reader_of(&name, 1024).mode(mode).create().expect("the name is free");
        let mut peer = peer();
        peer.ok(&format!("connect {name}"));
        peer.ok("send 112");
        let frame = reader.recv_owned().expect("a frame");
        assert_eq!(reader.statistics().used, used, "{mode:o}: a copy gives its space back at once");
        strait_tests::pattern::check(&frame, 1);
        assert!(peer.exit().success());
    }
}

#[test]
fn a_killed_reader_leaves_nothing_even_while_its_writer_lives() {
    let name = TestName::new("leaves-nothing");
    let mut killed = peer();
    killed.ok(&format!("create {name} 64 1024"));
    let mut old = writer(&name);
    send(&mut old, 100);
    killed.kill();
    name.assert_nothing_left();
    let refused = Writer::connect(&name);
    assert!(matches!(refused, Err(ConnectError::BufferNotFound { .. })), "{refused:?}");

    // What the old writer still holds, semaphores among it, says nothing to the next buffer.
    let mut next = reader(&name);
    let mut new = writer(&name);
    assert!(!old.is_reader_connected());
    for sequence in 1..=20 {
        assert_eq!(send(&mut new, 100), sequence);
        assert_eq!(receive(&mut next).expect("a frame"), (sequence, 100));
    }
}
