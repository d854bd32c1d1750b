//! A process killed at each step of sending: do all others go on, and does only what it had not sent go missing?

use super::*;

/// How far the victim has come.
struct Step {
    what: &'static str,
    /// What it has been told.
    told: &'static [&'static str],
    /// What it has sent: this arrives.
    sent: &'static [&'static str],
    /// Slots that it holds.
    held: u64,
}

const STEPS: [Step; 14] = [
    Step { what: "it has opened the link", told: &[], sent: &[], held: 0 },
    Step { what: "it has sent", told: &["send v-1"], sent: &["v-1"], held: 0 },
    Step { what: "reserved", told: &["reserve"], sent: &[], held: 1 },
    Step { what: "half filled", told: &["reserve", "half v-1"], sent: &[], held: 1 },
    Step { what: "filled", told: &["reserve", "fill v-1"], sent: &[], held: 1 },
    Step { what: "committed", told: &["reserve", "fill v-1", "commit"], sent: &["v-1"], held: 0 },
    Step { what: "given up", told: &["reserve", "fill v-1", "drop"], sent: &[], held: 0 },
    Step {
        what: "two reserved, one sent",
        told: &["reserve", "reserve", "send v-1"],
        sent: &["v-1"],
        held: 2,
    },
    Step { what: "cloned, then reserved", told: &["clone", "reserve"], sent: &[], held: 1 },
    Step { what: "a batch reserved", told: &["reserve_many 3"], sent: &[], held: 3 },
    Step { what: "one of it committed", told: &["reserve_many 3", "put v-1"], sent: &["v-1"], held: 2 },
    Step {
        what: "two of it committed",
        told: &["reserve_many 3", "put v-1", "put v-2"],
        sent: &["v-1", "v-2"],
        held: 1,
    },
    Step {
        what: "all of it committed",
        told: &["reserve_many 3", "put v-1", "put v-2", "put v-3"],
        sent: &["v-1", "v-2", "v-3"],
        held: 0,
    },
    Step {
        what: "a batch given up after the first",
        told: &["reserve_many 3", "put v-1", "end"],
        sent: &["v-1"],
        held: 0,
    },
];

#[test]
fn whoever_dies_while_it_sends_loses_nothing_but_what_it_had_not_sent() {
    let mut times = Times::new("killed-sender");
    for case in cases() {
        for step in &STEPS {
            println!("{case}: {}", step.what);
            play(case, step, &mut times);
        }
    }
}

fn play(case: Case, step: &Step, times: &mut Times) {
    let name = TestName::new("killed-sender");
    let mut other = member("create", case.side.other(), &name, case);
    let mut mate = case.company.then(|| member("enter", case.side, &name, case));
    let mut victim = member("enter", case.side, &name, case);

    for line in step.told {
        victim.ok(line);
    }
    if let Some(mate) = &mut mate {
        // Behind what the victim holds, in the middle of its own message.
        mate.ok("reserve");
        mate.ok("half mate-1");
    }
    for text in step.sent {
        // What stands behind a slot that is held waits.
        if step.told[0] != "reserve" || step.held == 0 {
            assert_eq!(other.ok("recv"), *text);
        }
    }
    assert_eq!(other.ok("begin recv"), "begun");
    #[cfg(target_os = "linux")]
    awaited::until_awaited(&other, &name, case.side, awaited::Awaited::Data);

    let killed = Instant::now();
    victim.kill();
    let mut mate = match mate {
        Some(mut mate) => {
            mate.ok("fill mate-1");
            mate.ok("commit");
            mate
        }
        None => {
            let mut mate = member("open", case.side, &name, case);
            mate.ok("send mate-1");
            mate
        }
    };
    let mut first = other.answer_ok();
    times.since(killed);
    if step.told.first() == Some(&"reserve") && step.held > 0 {
        for text in step.sent {
            assert_eq!(first, *text, "it stood behind");
            first = other.ok("recv");
        }
    }
    assert_eq!(first, "mate-1");
    talk(&mut mate, &mut other);
    talk(&mut other, &mut mate);
    let recovered = recovered(&mut mate) + recovered(&mut other);
    assert_eq!(recovered.given_up, step.held, "slots");
    assert_eq!(recovered.lost, 0);
    assert!(recovered.handles > 0 || step.held == 0, "it held something and is gone");
    for peer in [mate, other] {
        assert!(peer.exit().success());
    }
}
