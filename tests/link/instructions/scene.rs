//! A link, a victim to be, and those who will have to go on without it.

use strait::hqq::Link;

use super::links::{create, expect_empty, open, receive, send};
use super::*;

/// A link with a victim to be: its other side, and perhaps its own, are in this process.
pub(super) struct Scene {
    pub(super) case: Case,
    pub(super) mate: Option<Link>,
    pub(super) other: Option<Link>,
    pub(super) name: TestName,
}

impl Scene {
    pub(super) fn new(test: &str, case: Case, slots: u64) -> Self {
        let name = TestName::new(test);
        let other = Some(create(&name, case.side.other(), case.profile, slots));
        let mate = case.company.then(|| open(&name, case.side));
        Self { case, mate, other, name }
    }

    /// A process on the victim's side.
    pub(super) fn victim(&self) -> Peer {
        let mut victim = peer();
        victim.ok(&format!("open {} {}", self.case.side, &*self.name));
        victim
    }

    /// A survivor on the victim's side, which comes now if it was not there, and one on the other.
    pub(super) fn survivors(&mut self) -> (&mut Link, &mut Link) {
        let mate = self.mate.get_or_insert_with(|| open(&self.name, self.case.side));
        (mate, self.other.as_mut().expect("there from the start"))
    }

    pub(super) fn other(&mut self) -> &mut Link {
        self.other.as_mut().expect("there from the start")
    }

    /// Survivors use the victim's ring to its end and further; the messages of the victim that arrive first.
    pub(super) fn send_on(&mut self, killed: Instant, times: &mut Times) -> Vec<String> {
        let (mate, other) = self.survivors();
        let mut victims = Vec::new();
        for number in 1..=2 * SLOTS + 1 {
            let text = format!("mate-{number}");
            send(mate, &text);
            loop {
                let found = receive(other);
                if found == text {
                    break;
                }
                assert_eq!(number, 1, "what the victim sent comes first, not {found:?}");
                victims.push(found);
            }
            if number == 1 {
                times.since(killed);
            }
        }
        expect_empty(other);
        victims
    }

    /// Survivors use the ring that the victim received from to its end and further: of `unread`, which stand in it, the
    /// first may be lost, up to `lost`.
    pub(super) fn receive_on(&mut self, unread: &[&str], lost: usize, killed: Instant, times: &mut Times) {
        let (mate, other) = self.survivors();
        let mut received = Vec::new();
        if unread.len() as u64 == SLOTS {
            // There may be no room for another.
            received.push(receive(mate));
            times.since(killed);
        }
        let news: Vec<String> = (1..=2 * SLOTS + 1).map(|number| format!("other-{number}")).collect();
        for text in &news {
            send(other, text);
            received.push(receive(mate));
            if received.len() == 1 {
                times.since(killed);
            }
        }
        // At most what stood there before.
        while received.last() != news.last() {
            received.push(receive(mate));
        }
        let sent: Vec<String> = unread.iter().map(|text| (*text).to_owned()).chain(news).collect();
        let missing = sent.len().saturating_sub(received.len());
        assert!(missing <= lost, "{received:?}");
        assert_eq!(received, sent[missing..], "the rest in order, each once");
        expect_empty(mate);
    }
}
