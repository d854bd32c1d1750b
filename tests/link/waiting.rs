//! Sleepers: are they woken by what they wait for, whoever dies, in his sleep or without having woken them?

use rustix::process::{Pid, Signal, kill_process};

use super::awaited::{Awaited, OFTEN, until_asleep, until_slept};
use super::*;

/// A link: a process on the case's side, and one on the other.
fn pair(name: &str, case: Case) -> (Peer, Peer) {
    (member("create", case.side, name, case), member("open", case.side.other(), name, case))
}

/// Lets `receiver` go to sleep until `side` has sent something.
#[track_caller]
fn begin_to_receive(receiver: &mut Peer, name: &str, side: Side) {
    assert_eq!(receiver.ok("begin recv"), "begun");
    until_asleep(receiver, name, side, Awaited::Data);
}

/// Fills the ring of `sender`, which is on `side`, and lets it go to sleep until there is room.
#[track_caller]
fn begin_to_send(sender: &mut Peer, name: &str, side: Side) {
    sender.ok(&format!("pour full 1 {SLOTS}"));
    assert_eq!(sender.ok(&format!("begin send full-{}", SLOTS + 1)), "begun");
    until_asleep(sender, name, side, Awaited::Space);
}

#[test]
fn a_receiver_that_sleeps_is_woken_by_a_send() {
    for case in cases() {
        let name = TestName::new("woken-receiver");
        let (mut sender, mut receiver) = pair(&name, case);
        for number in 0..5 {
            begin_to_receive(&mut receiver, &name, case.side);
            sender.ok(&format!("send wake-{number}"));
            assert_eq!(receiver.answer_ok(), format!("wake-{number}"));
        }
        sender.exit();
        receiver.exit();
    }
}

#[test]
fn a_sender_that_sleeps_is_woken_by_a_receive() {
    for case in cases() {
        let name = TestName::new("woken-sender");
        let (mut sender, mut receiver) = pair(&name, case);
        for _ in 0..5 {
            begin_to_send(&mut sender, &name, case.side);
            assert_eq!(receiver.ok("recv"), "full-1");
            sender.answer_ok();
            for number in 2..=SLOTS + 1 {
                assert_eq!(receiver.ok("recv"), format!("full-{number}"));
            }
        }
        sender.exit();
        receiver.exit();
    }
}

#[test]
fn a_process_that_is_stopped_keeps_what_it_holds() {
    for case in cases() {
        let name = TestName::new("stopped");
        let (mut holder, mut other) = pair(&name, case);
        let mut mate = member("open", case.side, &name, case);
        holder.ok("reserve");
        holder.ok("half held");
        mate.ok("send behind");
        signal(&holder, Signal::STOP);
        assert_eq!(other.ok("begin recv"), "begun");
        // So often it has looked for the dead.
        until_slept(&other, OFTEN);
        signal(&holder, Signal::CONT);
        holder.ok("fill held");
        holder.ok("commit");
        assert_eq!(other.answer_ok(), "held");
        assert_eq!(other.ok("recv"), "behind");
        for peer in [holder, mate, other] {
            assert!(peer.exit().success());
        }
    }
}

fn signal(peer: &Peer, signal: Signal) {
    let pid = i32::try_from(peer.pid()).ok().and_then(Pid::from_raw).expect("a number of a process");
    kill_process(pid, signal).expect("the peer takes signals");
}

#[test]
fn a_receiver_killed_in_its_sleep_does_no_harm() {
    let mut times = Times::new("killed-sleeping-receiver");
    for case in cases() {
        let name = TestName::new("killed-sleeping-receiver");
        // The victim is on the case's side.
        let (mut victim, mut other) = pair(&name, case);
        let mut mate = case.company.then(|| member("open", case.side, &name, case));
        if let Some(mate) = &mut mate {
            begin_to_receive(mate, &name, case.side.other());
        }
        begin_to_receive(&mut victim, &name, case.side.other());
        let killed = Instant::now();
        victim.kill();
        other.ok("send news");
        let mut mate = match mate {
            Some(mut mate) => {
                assert_eq!(mate.answer_ok(), "news");
                mate
            }
            None => {
                let mut mate = member("open", case.side, &name, case);
                assert_eq!(mate.ok("recv"), "news");
                mate
            }
        };
        times.since(killed);
        talk(&mut other, &mut mate);
        talk(&mut mate, &mut other);
        mate.exit();
        other.exit();
    }
}

#[test]
fn a_sender_killed_in_its_sleep_does_no_harm() {
    let mut times = Times::new("killed-sleeping-sender");
    for case in cases() {
        let name = TestName::new("killed-sleeping-sender");
        let (mut victim, mut other) = pair(&name, case);
        let mut mate = case.company.then(|| member("open", case.side, &name, case));
        begin_to_send(&mut victim, &name, case.side);
        if let Some(mate) = &mut mate {
            assert_eq!(mate.ok("begin send mate"), "begun");
            until_asleep(mate, &name, case.side, Awaited::Space);
        }
        let killed = Instant::now();
        victim.kill();
        for number in 1..=SLOTS {
            assert_eq!(other.ok("recv"), format!("full-{number}"));
        }
        let mut mate = match mate {
            Some(mut mate) => {
                mate.answer_ok();
                mate
            }
            None => {
                let mut mate = member("open", case.side, &name, case);
                mate.ok("send mate");
                mate
            }
        };
        assert_eq!(other.ok("recv"), "mate");
        times.since(killed);
        talk(&mut other, &mut mate);
        talk(&mut mate, &mut other);
        mate.exit();
        other.exit();
    }
}

#[test]
fn a_receiver_that_has_slept_for_long_goes_on_behind_what_a_dead_sender_held() {
    let mut times = Times::new("long-asleep-behind-a-sender");
    for case in cases() {
        let name = TestName::new("long-asleep-behind-a-sender");
        let (mut victim, mut receiver) = pair(&name, case);
        begin_to_receive(&mut receiver, &name, case.side);
        until_slept(&receiver, OFTEN);
        victim.ok("reserve");
        let mut mate = member("open", case.side, &name, case);
        mate.ok("send behind");
        let killed = Instant::now();
        victim.kill();
        assert_eq!(receiver.answer_ok(), "behind");
        times.since(killed);
        mate.exit();
        receiver.exit();
    }
}

#[test]
fn a_sender_that_has_slept_for_long_goes_on_with_what_a_dead_receiver_held() {
    let mut times = Times::new("long-asleep-before-a-receiver");
    for case in cases() {
        let name = TestName::new("long-asleep-before-a-receiver");
        let (mut sender, mut victim) = pair(&name, case);
        begin_to_send(&mut sender, &name, case.side);
        until_slept(&sender, OFTEN);
        assert_eq!(victim.ok("hold"), "full-1");
        let killed = Instant::now();
        victim.kill();
        // Nobody else is there to wake it.
        sender.answer_ok();
        times.since(killed);
        let mut next = member("open", case.side.other(), &name, case);
        for number in 2..=SLOTS + 1 {
            assert_eq!(next.ok("recv"), format!("full-{number}"));
        }
        sender.exit();
        next.exit();
    }
}
