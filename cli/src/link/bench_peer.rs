//! What does the other process of a measurement do?

use core::sync::atomic::{AtomicBool, Ordering};
use std::io::{self, Read as _};
use std::sync::Arc;
use std::thread;

use clap::Args;
use strait::hqq::Link;

use super::bench_end::{End, Plan, WARM_UP};
use crate::exit::{Failure, SIGINT};

/// Options of `strait link bench-peer`.
#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    name: String,

    #[command(flatten)]
    plan: Plan,
}

/// Runs `strait link bench-peer`.
pub(crate) fn run(args: &PeerArgs) -> Result<(), Failure> {
    let orphaned = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&orphaned);
    // Standard input is a pipe whose other end the parent holds: it ends when the parent does, however that happens.
    thread::spawn(move || {
        while matches!(io::stdin().lock().read(&mut [0; 64]), Ok(1..)) {}
        // Relaxed: nothing else is read by it.
        set.store(true, Ordering::Relaxed);
    });
    let go_on = || match orphaned.load(Ordering::Relaxed) {
        false => Ok(()),
        true => Err(Failure::interrupted(SIGINT)),
    };
    let link = Link::builder(&args.name).secondary().open().map_err(Failure::connect)?;
    let Plan { count, round_trips, .. } = args.plan;
    let mut end = End::new(link, args.plan, &go_on);
    for number in 0..WARM_UP {
        end.receive(number)?;
        end.send(number)?;
    }
    for number in 0..count {
        end.receive(number)?;
    }
    end.send(count)?;
    end.receive_batches()?;
    end.send(count)?;
    for number in 0..round_trips {
        end.receive(number)?;
        end.send(number)?;
    }
    Ok(())
}
