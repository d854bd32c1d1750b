//! A process killed at each step of receiving: do all others go on, and is only what it had taken gone?

use super::*;

/// How far the victim has come.
struct Step {
    what: &'static str,
    /// What it has been told.
    told: &'static [&'static str],
    /// Messages that it has taken.
    taken: u64,
    /// Of these, how many it holds: slots that nobody can use.
    held: u64,
}

const STEPS: [Step; 11] = [
    Step { what: "it has opened the link", told: &[], taken: 0, held: 0 },
    Step { what: "it has received", told: &["recv"], taken: 1, held: 0 },
    Step { what: "claimed", told: &["hold"], taken: 1, held: 1 },
    Step { what: "read", told: &["hold", "read"], taken: 1, held: 1 },
    Step { what: "released", told: &["hold", "release"], taken: 1, held: 0 },
    Step { what: "two claimed", told: &["hold", "hold"], taken: 2, held: 2 },
    Step { what: "cloned, then claimed", told: &["clone", "hold"], taken: 1, held: 1 },
    Step { what: "a batch claimed", told: &["recv_many 2"], taken: 2, held: 2 },
    Step { what: "the first of it read", told: &["recv_many 2", "next"], taken: 2, held: 2 },
    Step { what: "the second of it read", told: &["recv_many 2", "next", "next"], taken: 2, held: 1 },
    Step { what: "a batch released", told: &["recv_many 2", "next", "end"], taken: 2, held: 0 },
];

#[test]
fn whoever_dies_while_it_receives_takes_along_nothing_but_what_it_had_taken() {
    let mut times = Times::new("killed-receiver");
    for case in cases() {
        for step in &STEPS {
            println!("{case}: {}", step.what);
            play(case, step, &mut times);
        }
    }
}

fn play(case: Case, step: &Step, times: &mut Times) {
    let name = TestName::new("killed-receiver");
    let mut other = member("create", case.side.other(), &name, case);
    let mut mate = case.company.then(|| member("enter", case.side, &name, case));
    let mut victim = member("enter", case.side, &name, case);

    let mut sent = 3;
    other.ok("pour other 1 3");
    for line in step.told {
        victim.ok(line);
    }
    let mut next = step.taken + 1;
    if let Some(mate) = &mut mate {
        assert_eq!(mate.ok("hold"), format!("other-{next}"));
        next += 1;
    }
    // Until there is no room.
    while !other.ask(&format!("try_send other-{}", sent + 1)).starts_with("err Full") {
        sent += 1;
    }
    sent += 1;
    other.ok(&format!("begin send other-{sent}"));
    #[cfg(target_os = "linux")]
    awaited::until_awaited(&other, &name, case.side.other(), awaited::Awaited::Space);

    let killed = Instant::now();
    victim.kill();
    let room = step.held > 0;
    if room {
        other.answer_ok();
        times.since(killed);
    }
    let mut mate = match mate {
        Some(mut mate) => {
            // It has been held all the time, and is whole.
            assert_eq!(mate.ok("read"), format!("other-{}", next - 1));
            mate.ok("release");
            mate
        }
        None => {
            let mut mate = member("open", case.side, &name, case);
            assert_eq!(mate.ok("recv"), format!("other-{next}"));
            next += 1;
            mate
        }
    };
    if !room {
        other.answer_ok();
        times.since(killed);
    }
    for number in next..=sent {
        assert_eq!(mate.ok("recv"), format!("other-{number}"));
    }
    talk(&mut other, &mut mate);
    talk(&mut mate, &mut other);
    let recovered = recovered(&mut mate) + recovered(&mut other);
    assert_eq!(recovered.lost, step.held, "messages");
    assert_eq!(recovered.given_up, 0);
    assert!(recovered.handles > 0 || step.held == 0, "it held something and is gone");
    for peer in [mate, other] {
        assert!(peer.exit().success());
    }
}
