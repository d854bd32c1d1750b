//! A pool of workers: jobs go to whichever receiver is free, and results come back.
//!
//! ```sh
//! cargo run -p strait --example link serve     # as often as you like: each takes its share
//! cargo run -p strait --example link submit 1000
//! ```

use std::io::Write as _;

use strait::hqq::{Link, LinkBuilder};

fn main() -> strait::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let link = Link::builder("strait-example-jobs").slots(256).slot_len(128); // bytes
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(link),
        ["submit", count] => submit(link, count.parse().unwrap_or(1)),
        _ => {
            eprintln!("usage: link serve | link submit COUNT");
            std::process::exit(2);
        }
    }
}

/// A worker is on the secondary side; any number of processes may be.
fn serve(link: LinkBuilder) -> strait::Result<()> {
    let (mut tx, mut rx) = link.secondary().open_or_create()?.split();
    loop {
        let job = rx.recv()?; // in place, in shared memory; another worker gets the next one
        let mut slot = tx.reserve()?;
        let mut out = slot.writer();
        // Cannot fail: a result is shorter than a slot.
        let _ = write!(out, "{} done by {}", String::from_utf8_lossy(&job), std::process::id());
        let len = usize::try_from(out.position()).unwrap_or(0);
        slot.commit(len)?; // dropping it instead would give the slot up
    }
}

fn submit(link: LinkBuilder, count: usize) -> strait::Result<()> {
    let (mut tx, mut rx) = link.primary().open_or_create()?.split();
    std::thread::scope(|scope| {
        scope.spawn(move || (0..count).try_for_each(|number| tx.send(format!("job {number}").as_bytes())));
        for _ in 0..count {
            println!("{}", String::from_utf8_lossy(&rx.recv()?));
        }
        Ok(())
    })
}
