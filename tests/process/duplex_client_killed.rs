//! A duplex client killed at every step: its server goes on, and serves the next client from number 1.

use strait::zerobuffer::duplex::{Channel, RequestMut, Server};
use strait_tests::duplex::{
    Step, asked, channel_of, check_request, checked, fill_response, request, respond,
};
use strait_tests::{Peer, TestName, blocked, wait_until};

use crate::channel_peer;

const RING: u64 = 64 << 10;

fn channel(name: &str) -> Channel {
    channel_of(name, RING).share_payload(true)
}

fn change(request: &mut RequestMut) -> Result<(), String> {
    let sequence = request.sequence();
    check_request(request, sequence)?;
    fill_response(request, sequence);
    Ok(())
}

/// A client in a process of its own that shares, with a ring of `ring` bytes.
fn client(name: &str, ring: u64) -> Peer {
    let mut client = channel_peer();
    client.ok(&format!("share {name} {ring}"));
    client
}

/// The next two clients are served, one of each kind, with every byte of the request ring.
#[track_caller]
fn goes_on(name: &TestName, server: &Server) {
    let clients = server.statistics().clients;
    let next = channel(name).connect().expect("the place is free at once");
    for sequence in 1..=50 {
        assert_eq!(checked(next.call(&request(sequence, 700))).expect("answered"), (sequence, 700));
    }
    let largest = usize::try_from(RING - 16).expect("small");
    assert_eq!(checked(next.call(&request(51, largest))).expect("the whole ring is free"), (51, largest));
    drop(next);
    let mut other = client(name, RING);
    for sequence in 1..=20 {
        other.ok("send 6000");
        assert!(other.ok("receive").starts_with(&format!("{sequence} 6000 ")));
    }
    assert!(other.exit().success());
    assert_eq!(server.statistics().clients, clients + 2);
    assert!(server.is_running());
}

#[test]
fn killed_right_after_it_connected() {
    let name = TestName::new("client-killed-connected");
    let server = channel(&name).serve_mut(change).expect("the name is free");
    client(&name, RING).kill();
    goes_on(&name, &server);
}

#[test]
fn killed_while_it_fills_a_request() {
    let name = TestName::new("client-killed-filling");
    let server = channel(&name).serve_mut(change).expect("the name is free");
    for steps in [&["reserve 3000"][..], &["reserve 3000", "fill"], &["send 500", "receive", "reserve 9000"]]
    {
        let mut client = client(&name, RING);
        for step in steps {
            client.ok(step);
        }
        client.kill();
        goes_on(&name, &server);
    }
}

#[test]
fn killed_with_its_requests_unread() {
    let name = TestName::new("client-killed-unread");
    let (step, asking) = Step::new();
    let server = channel(&name).serve(move |request| {
        if request.len() == 77 {
            step.wait(request.sequence());
        }
        respond(request, request.sequence())
    });
    let server = server.expect("the name is free");
    for before in [0, 3] {
        let mut client = client(&name, RING);
        for _ in 0..before {
            client.ok("send 10");
            client.ok("receive");
        }
        assert_eq!(client.ok("send 77 3"), (before + 3).to_string());
        let (sequence, go) = asked(&asking);
        assert_eq!(sequence, before + 1);
        client.kill();
        drop(go);
        // Whether the dead one's others are begun is the server's affair.
        std::thread::scope(|scope| {
            let going = scope.spawn(|| goes_on(&name, &server));
            wait_until(|| {
                asking.try_iter().for_each(drop);
                // One that failed says why.
                going.is_finished() || server.statistics().clients >= if before == 0 { 3 } else { 6 }
            });
        });
    }
}

#[test]
fn killed_with_two_requests_in_handlers() {
    let name = TestName::new("client-killed-pending");
    let (step, asking) = Step::new();
    let server = channel(&name).threads(4).serve(move |request| {
        if request.len() == 77 {
            step.wait(request.sequence());
        }
        respond(request, request.sequence())
    });
    let server = server.expect("the name is free");
    let mut client = client(&name, RING);
    assert_eq!(client.ok("send 77 2"), "2");
    let begun = [asked(&asking), asked(&asking)];
    client.kill();
    let mut begun = begun.into_iter();
    // The one is let go before the next client comes, the other while it waits.
    drop(begun.next());
    std::thread::scope(|scope| {
        let next = scope.spawn(|| channel(&name).connect().expect("the place is free"));
        drop(begun.next());
        drop(next.join().expect("no panic"));
    });
    goes_on(&name, &server);
}

#[test]
fn killed_with_its_responses_unread() {
    let name = TestName::new("client-killed-responses");
    let server = channel(&name).serve_mut(change).expect("the name is free");
    for len in [100, 6000] {
        let answered = || server.statistics().copied + server.statistics().shared;
        let before = answered();
        let mut client = client(&name, RING);
        client.ok(&format!("send {len} 5"));
        wait_until(|| answered() == before + 5);
        client.kill();
        goes_on(&name, &server);
    }
}

#[test]
fn killed_while_the_server_waits_for_room_in_its_buffer() {
    let name = TestName::new("client-killed-full");
    let server = channel(&name).serve_mut(change).expect("the name is free");
    // 8 responses of 16 + 112 bytes.
    let mut client = client(&name, 1024);
    client.ok("send 112 20");
    wait_until(|| server.statistics().copied == 8);
    client.kill();
    goes_on(&name, &server);
}

#[test]
fn killed_while_it_waits_for_room() {
    let name = TestName::new("client-killed-waiting");
    let (step, asking) = Step::new();
    let server = channel(&name).serve(move |request| {
        if request.len() == 10_000 {
            step.wait(request.sequence());
        }
        respond(request, request.sequence())
    });
    let server = server.expect("the name is free");
    let mut client = client(&name, RING);
    // Six of 16 + 10000 bytes fit.
    client.tell("send 10000 7");
    let (_, go) = asked(&asking);
    blocked::until_full(&mut client, &format!("{name}_request"), 6);
    client.kill();
    drop(go);
    std::thread::scope(|scope| {
        let going = scope.spawn(|| goes_on(&name, &server));
        wait_until(|| {
            asking.try_iter().for_each(drop);
            going.is_finished() || server.statistics().clients >= 3
        });
    });
}

#[test]
fn killed_while_it_holds_a_shared_response() {
    let name = TestName::new("client-killed-shared");
    let server = channel(&name).serve_mut(change).expect("the name is free");
    for round in 1..=3 {
        let mut client = client(&name, RING);
        client.ok("send 9000 3");
        assert_eq!(client.ok("receive"), "1 9000 shared");
        assert_eq!(client.ok("hold"), "2 9000 shared");
        client.kill();
        goes_on(&name, &server);
        assert_eq!(server.statistics().clients, 3 * round);
    }
}

#[test]
fn killed_anywhere_in_a_stream_of_calls() {
    let name = TestName::new("client-killed-anywhere");
    let server = channel(&name).threads(2).serve_mut(change).expect("the name is free");
    let mut numbers = strait_tests::pattern::Numbers::new(4);
    for _ in 0..20 {
        let mut client = client(&name, 16 << 10);
        let before = server.statistics().requests;
        client.tell("send 4500 1000000");
        let some = numbers.below(12) as u64;
        wait_until(|| server.statistics().requests >= before + some);
        client.kill();
    }
    goes_on(&name, &server);
}
