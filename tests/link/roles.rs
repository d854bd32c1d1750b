//! Who is the primary, when processes come at the same time, and go by force?

use super::*;

/// A process that takes the side that is free; which one it was.
fn comer(name: &str, case: Case) -> (Peer, String) {
    let mut peer = peer();
    let side = peer.ok(&format!("enter auto {name} {}", case.geometry()));
    (peer, side)
}

/// One of two that have come at the same time.
fn beginner(name: &str, case: Case) -> Peer {
    let mut peer = peer();
    peer.tell(&format!("enter auto {name} {}", case.geometry()));
    peer
}

#[test]
fn of_two_who_come_together_one_is_primary() {
    for round in 0..40 {
        let case = cases()[round % 2];
        let name = TestName::new("together");
        let mut peers = [beginner(&name, case), beginner(&name, case)];
        let sides = peers.each_mut().map(Peer::answer_ok);
        let (mut primary, mut secondary) = match sides.each_ref().map(String::as_str) {
            ["primary", "secondary"] => peers.into(),
            ["secondary", "primary"] => {
                let [second, first] = peers;
                (first, second)
            }
            _ => panic!("{sides:?}"),
        };
        talk(&mut primary, &mut secondary);
        talk(&mut secondary, &mut primary);
        primary.exit();
        secondary.exit();
    }
}

#[test]
fn whoever_comes_takes_the_place_of_a_primary_that_was_killed() {
    let mut times = Times::new("next-primary");
    for case in cases() {
        let name = TestName::new("next-primary");
        let (mut primary, side) = comer(&name, case);
        assert_eq!(side, "primary");
        let (mut secondary, side) = comer(&name, case);
        assert_eq!(side, "secondary");
        for _ in 0..4 {
            primary.ok("send before");
            primary.ok("reserve");
            assert_eq!(secondary.ok("recv"), "before");
            let killed = Instant::now();
            primary.kill();
            let (next, side) = comer(&name, case);
            times.since(killed);
            assert_eq!(side, "primary", "nobody living is");
            primary = next;
            talk(&mut primary, &mut secondary);
            talk(&mut secondary, &mut primary);
        }
        primary.exit();
        secondary.exit();
    }
}

#[test]
fn whoever_comes_takes_the_place_of_a_secondary_that_was_killed() {
    let mut times = Times::new("next-secondary");
    for case in cases() {
        let name = TestName::new("next-secondary");
        let (mut primary, _) = comer(&name, case);
        let (mut secondary, _) = comer(&name, case);
        for _ in 0..4 {
            primary.ok("send taken");
            assert_eq!(secondary.ok("hold"), "taken");
            let killed = Instant::now();
            secondary.kill();
            let (next, side) = comer(&name, case);
            times.since(killed);
            assert_eq!(side, "secondary", "the primary lives");
            secondary = next;
            talk(&mut primary, &mut secondary);
            talk(&mut secondary, &mut primary);
        }
        primary.exit();
        secondary.exit();
    }
}

#[test]
fn as_long_as_one_of_two_primaries_lives_whoever_comes_is_secondary() {
    for case in cases() {
        let name = TestName::new("two-primaries");
        let first = member("create", Side::Primary, &name, case);
        let mut second = member("open", Side::Primary, &name, case);
        first.kill();
        let (mut secondary, side) = comer(&name, case);
        assert_eq!(side, "secondary");
        talk(&mut second, &mut secondary);
        second.exit();
        // In order this time.
        let (mut primary, side) = comer(&name, case);
        assert_eq!(side, "primary");
        talk(&mut primary, &mut secondary);
        primary.exit();
        secondary.exit();
    }
}

#[test]
fn the_last_one_out_removes_the_name_though_others_were_killed() {
    for case in cases() {
        let name = TestName::new("last-out");
        let mut last = member("create", case.side, &name, case);
        for side in [Side::Primary, Side::Secondary] {
            let mut victim = member("open", side, &name, case);
            victim.ok("reserve");
            victim.kill();
        }
        last.ok("close");
        name.assert_nothing_left();
    }
}

#[test]
fn a_link_whose_processes_were_all_killed_is_taken_over_with_what_was_sent() {
    for case in cases() {
        let name = TestName::new("all-killed");
        let mut first = member("create", case.side, &name, case);
        first.ok("send heard-1");
        first.ok("reserve");
        first.ok("send heard-2");
        let second = member("open", case.side.other(), &name, case);
        first.kill();
        second.kill();
        let mut next = member("open", case.side.other(), &name, case);
        assert_eq!(next.ok("recv"), "heard-1");
        assert_eq!(next.ok("recv"), "heard-2", "what was reserved in between is skipped");
        next.ok("close");
        name.assert_nothing_left();
    }
}

#[test]
fn more_handles_than_there_is_room_for_fit_once_their_owners_were_killed() {
    let case = cases()[0];
    let name = TestName::new("many-dead");
    let mut survivor = member("create", Side::Primary, &name, case);
    // Two handles each: more than 128.
    for _ in 0..70 {
        member("open", Side::Secondary, &name, case).kill();
    }
    let mut next = member("open", Side::Secondary, &name, case);
    talk(&mut survivor, &mut next);
    next.exit();
    survivor.exit();
}
