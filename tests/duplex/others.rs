//! A channel whose buffers other users may write, who could cut them short: refused unless they are trusted.

use std::sync::mpsc::channel as queue;

use strait::zerobuffer::ConnectError as BufferError;
use strait::zerobuffer::duplex::ConnectError;
use strait_tests::duplex::request;
use strait_tests::{PATIENCE, TestName};

use crate::{channel, echo, serve};

#[test]
fn a_server_open_to_others_is_called_only_by_who_trusts_them() {
    let name = TestName::new("open-server");
    let _server = serve(&channel(&name).mode(0o622).trust_others(true));
    match channel(&name).connect() {
        Err(ConnectError::Requests(BufferError::OthersMayWrite { .. })) => {}
        other => panic!("{other:?}"),
    }
    let client = channel(&name).trust_others(true).connect().expect("they are trusted");
    assert_eq!(client.call(&request(1, 10)).expect("answered").len(), 10);
}

#[test]
fn a_client_open_to_others_is_answered_only_by_who_trusts_them() {
    let name = TestName::new("open-client");
    let (tell, told) = queue();
    let wary = channel(&name).on_error(move |error| drop(tell.send(format!("{error:?}"))));
    let server = wary.serve(echo).expect("the name is free");
    let client = channel(&name).mode(0o622).connect().expect("its server is private");
    client.send_request(&request(1, 10)).expect("there is room");
    let error = told.recv_timeout(PATIENCE).expect("it is told");
    assert!(error.contains("OthersMayWrite"), "{error}");
    drop((client, server));

    let _server = serve(&channel(&name).trust_others(true));
    let client = channel(&name).mode(0o622).connect().expect("its server is private");
    assert_eq!(client.call(&request(1, 10)).expect("answered").len(), 10);
}
