//! What does a report say of a session?

use serde::Serialize;
use serde_json::Value;
use strait::hqq::session::{Session, SessionError};

use super::agreement::{Agreement, as_json, counters, names};

/// Of a session, for a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Told {
    /// Features and capabilities that both ends have.
    pub(super) agreed: Vec<&'static str>,
    /// What this end has done.
    pub(super) statistics: Value,
    /// What the other end has done, if it was asked and is there.
    pub(super) peer_statistics: Option<Value>,
}

impl Told {
    /// What was agreed. To be asked for at the beginning: a peer that goes takes the agreement along.
    pub(super) fn of(session: &Session) -> Self {
        Self { agreed: names(session), statistics: Value::Null, peer_statistics: None }
    }

    /// Adds the numbers of now, and those of the peer if that was agreed and it is there.
    ///
    /// # Errors
    /// The peer is there and does not tell.
    pub(super) fn finish(&mut self, session: &Session, agreement: &Agreement) -> Result<(), SessionError> {
        self.peer_statistics = match agreement.has_statistics().then(|| session.peer_statistics()) {
            Some(Ok(told)) => Some(counters(&told)),
            None | Some(Err(SessionError::PeerGone)) => None,
            Some(Err(error)) => return Err(error),
        };
        self.statistics = as_json(&session.statistics());
        Ok(())
    }

    /// The lines for people.
    pub(super) fn lines(&self) -> String {
        let mut text = format!("agreed    {}\n", self.agreed.join(", "));
        if let Some(ratio) = self.statistics["compression_ratio"].as_f64() {
            text += &format!("ratio     {ratio:.2}\n");
        }
        for (what, numbers) in
            [("here", Some(&self.statistics["counters"])), ("peer", self.peer_statistics.as_ref())]
        {
            let Some(numbers) = numbers.filter(|_| self.peer_statistics.is_some()) else { continue };
            text += &format!("{what}      {numbers}\n");
        }
        text
    }
}
