//! A server whose buffer is taken from its name: it ends, and says why.

use std::fs;
use std::sync::mpsc;

use strait::zerobuffer::RecvError;
use strait::zerobuffer::duplex::ServerError;
use strait_tests::{PATIENCE, TestName, objects};

use crate::{channel, echo};

#[test]
fn a_server_whose_buffer_was_removed_ends_and_says_so() {
    let name = TestName::new("removed-server");
    let (told, hears) = mpsc::channel();
    let channel = channel(&name).on_error(move |error| {
        let _ = told.send(matches!(error, ServerError::Recv(RecvError::Removed { .. })));
    });
    let server = channel.serve(echo).expect("the name is free");
    fs::remove_file(objects::segment(&format!("{name}_request"))).expect("it was there");
    assert!(hears.recv_timeout(PATIENCE).expect("it is told"), "of that and nothing else");
    drop((channel, server));
    name.assert_nothing_left();
}
