//! What does `strait link inspect` show?

use core::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use strait::hqq::{Link, LinkInfo, OpenError, RingState, Side};

use super::command::{ProfileName, Shape};
use crate::exit::Failure;
use crate::report;

/// Options of `strait link inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Name of the link
    name: String,

    /// What the link must look like. A link of the seed profile that Strait has not made does not say how long its slots
    /// are: give --slot-len
    #[command(flatten)]
    shape: Shape,

    /// Prints JSON
    #[arg(long, visible_alias = "json")]
    json_output: bool,
}

const SIDES: [Side; 2] = [Side::Primary, Side::Secondary];

/// Runs `strait link inspect`.
pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let info = args.shape.apply(Link::builder(&args.name)).inspect().map_err(|error| match error {
        OpenError::BadName { .. } => Failure::usage(error),
        OpenError::NotFound { name } => Failure::connect(format_args!("link {name:?} not found")),
        _ => Failure::connect(error),
    })?;
    report::print(&match args.json_output {
        true => report::json(&as_json(&info))?,
        false => as_text(&info),
    })
}

/// A ring's words and counts, in the order of all output.
fn numbers(ring: &RingState) -> [(&'static str, u64); 8] {
    [
        ("head", ring.head),
        ("tail", ring.tail),
        ("unread", ring.unread),
        ("reserved", ring.reserved),
        ("claimed", ring.claimed),
        ("odd", ring.odd),
        ("tombstones_for_dead", ring.tombstones),
        ("lost_with_dead", ring.lost),
    ]
}

/// Processes with their handles, in the order in which they joined.
fn processes(info: &LinkInfo) -> Vec<(strait::hqq::Participant, usize)> {
    let mut processes: Vec<(strait::hqq::Participant, usize)> = Vec::new();
    for one in &info.participants {
        match processes.iter_mut().find(|(known, _)| known == one) {
            Some((_, handles)) => *handles += 1,
            None => processes.push((*one, 1)),
        }
    }
    processes
}

/// Processes that hold slots of ring `index`: reserved ones, claimed ones. Without a process: held by none of Strait's.
fn holders(info: &LinkInfo, index: usize) -> Vec<(Option<u64>, u64, u64)> {
    let mut holders: Vec<(Option<u64>, u64, u64)> = Vec::new();
    for held in &info.holders[index] {
        let pid = Some(held.identity.pid.0);
        match holders.iter_mut().find(|(known, ..)| *known == pid) {
            Some((_, reserved, claimed)) => {
                (*reserved, *claimed) = (*reserved + held.reserved, *claimed + held.claimed);
            }
            None => holders.push((pid, held.reserved, held.claimed)),
        }
    }
    let (reserved, claimed) = holders.iter().fold((0, 0), |sum, held| (sum.0 + held.1, sum.1 + held.2));
    let ring = &info.rings[index];
    let rest = (ring.reserved.saturating_sub(reserved), ring.claimed.saturating_sub(claimed));
    if rest != (0, 0) {
        holders.push((None, rest.0, rest.1));
    }
    holders
}

/// Writing to a String cannot fail, so its results are dropped.
fn as_text(info: &LinkInfo) -> String {
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let mut text = String::new();
    let geometry = info.geometry;
    for (what, value) in [
        ("link", info.name.clone()),
        ("segment_len", info.segment_len.to_string()),
        ("profile", ProfileName::of(geometry.profile()).to_owned()),
        ("slots", geometry.slots().to_string()),
        ("slot_len", geometry.slot_len().to_string()),
        ("page", geometry.page().to_string()),
        ("made_by_strait", yes(info.is_strait).to_owned()),
        ("foreign_peers", yes(info.has_strangers).to_owned()),
        ("kept", yes(info.is_kept).to_owned()),
        ("others_may_write", yes(info.is_shared_widely).to_owned()),
    ] {
        let _ = writeln!(text, "{what:<24}{value}");
    }
    for (index, side) in SIDES.into_iter().enumerate() {
        let ring = info.ring(side);
        let _ = writeln!(text, "ring {index}                  from {side} to {}", side.other());
        for (what, value) in numbers(ring) {
            let _ = writeln!(text, "  {what:<22}{value}");
        }
        for (pid, reserved, claimed) in holders(info, index) {
            let who = pid.map_or_else(|| "unknown".to_owned(), |pid| format!("pid {pid}"));
            let _ = writeln!(text, "  {:<22}{who}: {reserved} reserved, {claimed} claimed", "held_by");
        }
        let _ = writeln!(text, "  {:<22}{}", "waits_for_data", yes(ring.waits_for_data));
        let _ = writeln!(text, "  {:<22}{}", "waits_for_space", yes(ring.waits_for_space));
    }
    let _ = writeln!(text, "{:<24}{}", "handles", info.participants.len());
    for (one, handles) in processes(info) {
        let alive = match one.alive {
            Some(true) => "alive",
            Some(false) => "not alive",
            None => "cannot be seen from here",
        };
        let _ = writeln!(text, "  pid {:<18}{}, {handles} handles  ({alive})", one.pid, one.side);
    }
    text
}

fn as_json(info: &LinkInfo) -> Value {
    let rings = [0, 1].map(|index| {
        let side = SIDES[index];
        let ring = info.ring(side);
        let holders = holders(info, index)
            .into_iter()
            .map(|(pid, reserved, claimed)| json!({ "pid": pid, "reserved": reserved, "claimed": claimed }));
        let mut value = json!({
            "from": side.to_string(),
            "waits_for_data": ring.waits_for_data,
            "waits_for_space": ring.waits_for_space,
            "held_by": holders.collect::<Vec<_>>(),
        });
        for (what, number) in numbers(ring) {
            value[what] = number.into();
        }
        value
    });
    let participants = processes(info).into_iter().map(|(one, handles)| {
        json!({ "pid": one.pid, "side": one.side.to_string(), "alive": one.alive, "handles": handles })
    });
    json!({
        "link_name": info.name,
        "segment_len": info.segment_len,
        "profile": ProfileName::of(info.geometry.profile()),
        "slots": info.geometry.slots(),
        "slot_len": info.geometry.slot_len(),
        "page": info.geometry.page(),
        "made_by_strait": info.is_strait,
        "foreign_peers": info.has_strangers,
        "kept": info.is_kept,
        "others_may_write": info.is_shared_widely,
        "rings": rings,
        "participants": participants.collect::<Vec<_>>(),
    })
}
