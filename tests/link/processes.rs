//! Processes that fork, and that become other programs: whose their handles and slots are.

use super::*;

/// A process that makes a link, and another one on the other side.
fn scene(test: &str, case: Case) -> (TestName, Peer, Peer) {
    let name = TestName::new(test);
    let first = member("create", case.side.other(), &name, case);
    let second = member("open", case.side, &name, case);
    (name, first, second)
}

/// A child that a peer has forked, for which nobody can wait here.
struct Orphan(String);

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.0]).status();
    }
}

#[test]
fn a_child_that_drops_its_copies_takes_nothing_from_its_parent() {
    for case in cases() {
        let (name, mut link, mut parent) = scene("fork-drop", case);
        link.ok("send before");
        parent.ok("fork drop");
        assert_eq!(parent.ok("recv"), "before");
        talk(&mut link, &mut parent);
        talk(&mut parent, &mut link);
        // Still there for who comes, and the last one removes it.
        link.ok("close");
        let mut third = member("open", case.side.other(), &name, case);
        talk(&mut third, &mut parent);
        third.ok("close");
        parent.ok("close");
        name.assert_nothing_left();
    }
}

#[test]
fn a_childs_use_of_its_copies_is_an_error_and_takes_no_message() {
    for case in cases() {
        let (_name, mut link, mut parent) = scene("fork-use", case);
        link.ok("send parents");
        parent.ok("fork use");
        assert_eq!(parent.ok("recv"), "parents");
        talk(&mut parent, &mut link);
        talk(&mut link, &mut parent);
        parent.ok("close");
        link.ok("close");
    }
}

#[test]
fn a_childs_copy_of_a_session_is_of_no_use_and_takes_nothing_from_it() {
    use strait::hqq::Link;
    let name = TestName::new("fork-session");
    let link = Link::builder(&name).slots(8).slot_len(256).secondary().create().expect("the name is free");
    let mut parent = peer();
    parent.ok(&format!("open primary {}", &*name));
    parent.tell("fork session");
    let session = link.session().timeout(strait_tests::PATIENCE).accept().expect("it asks");
    for _ in 0..2 {
        let request = session.next_request().expect("it calls");
        let answer = request.to_ascii_uppercase();
        request.respond(&answer).expect("it waits for the answer");
    }
    assert_eq!(parent.answer_ok(), "ASKED AGAIN");
    parent.exit();
    drop(session);
}

#[test]
fn a_dead_parents_slots_are_given_back_though_its_child_lives() {
    for case in cases() {
        let (name, mut link, mut parent) = scene("fork-idle", case);
        link.ok("send held");
        let child = Orphan(parent.ok("fork idle"));
        assert_eq!(parent.ok("hold"), "held");
        parent.ok("reserve");
        parent.kill();
        let mut heir = member("open", case.side, &name, case);
        talk(&mut link, &mut heir);
        talk(&mut heir, &mut link);
        link.ok("close");
        heir.ok("close");
        name.assert_nothing_left();
        drop(child);
    }
}

#[test]
fn a_process_that_becomes_another_program_holds_nothing_any_more() {
    for case in cases() {
        let (name, mut link, mut other) = scene("exec", case);
        link.ok("send held");
        assert_eq!(other.ok("hold"), "held");
        other.ok("reserve");
        assert_eq!(other.ok("become cat"), "begun");
        // It repeats what it is told: by then it is the other program, of the same number.
        assert_eq!(other.ask("it is cat"), "it is cat");
        let mut heir = member("open", case.side, &name, case);
        talk(&mut link, &mut heir);
        talk(&mut heir, &mut link);
        link.ok("close");
        heir.ok("close");
        name.assert_nothing_left();
    }
}
