//! Bytes of a message that is read as it comes, between the engine and its reader.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use strait_core::xcp::ErrorCode;

/// What a pipe gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pull {
    Bytes(Bytes),
    /// Nothing yet.
    Empty,
    /// The message is complete.
    End,
    /// The rest will not come: it was refused with this code, or the connection is over.
    Failed(Option<ErrorCode>),
}

#[derive(Debug, Default)]
pub(crate) struct Pipe(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    parts: VecDeque<Bytes>,
    len: usize,
    end: Option<Result<(), Option<ErrorCode>>>,
    /// Nobody reads any more.
    abandoned: bool,
    reader: Option<Waker>,
    driver: Option<Waker>,
}

impl Pipe {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_reader(mut state: MutexGuard<'_, State>) {
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn wake_driver(mut state: MutexGuard<'_, State>) {
        let driver = state.driver.take();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    pub(super) fn push(&self, bytes: Bytes) {
        let mut state = self.state();
        if state.abandoned || bytes.is_empty() {
            return;
        }
        state.len += bytes.len();
        state.parts.push_back(bytes);
        Self::wake_reader(state);
    }

    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.end.get_or_insert(Ok(()));
        Self::wake_reader(state);
    }

    pub(super) fn fail(&self, code: Option<ErrorCode>) {
        let mut state = self.state();
        state.end.get_or_insert(Err(code));
        Self::wake_reader(state);
    }

    /// Bytes that nobody has read.
    pub(super) fn len(&self) -> usize {
        self.state().len
    }

    /// Whether it will hold up nothing any more.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        state.abandoned || (state.end.is_some() && state.len == 0)
    }

    /// Who is woken when bytes are read.
    pub(crate) fn set_driver(&self, waker: &Waker) {
        self.state().driver = Some(waker.clone());
    }

    /// The next bytes. `waker` is woken when there are some.
    pub(crate) fn pull(&self, waker: Option<&Waker>) -> Pull {
        let mut state = self.state();
        if let Some(bytes) = state.parts.pop_front() {
            state.len -= bytes.len();
            Self::wake_driver(state);
            return Pull::Bytes(bytes);
        }
        match state.end {
            Some(Ok(())) => Pull::End,
            Some(Err(code)) => Pull::Failed(code),
            None => {
                state.reader = waker.cloned();
                Pull::Empty
            }
        }
    }

    /// Nobody will read: what still comes is thrown away.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.abandoned = true;
        state.parts.clear();
        state.len = 0;
        Self::wake_driver(state);
    }
}
