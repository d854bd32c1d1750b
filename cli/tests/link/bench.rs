//! Does a measurement come to its end, with every number?

use crate::link_name::LinkName;
use crate::support::run;

#[test]
fn a_measurement_has_these_keys() {
    let name = LinkName::new("bench");
    for profile in ["superblock", "seed"] {
        let plan = ["-n", "3000", "--round-trips", "200", "--size", "24", "--batch", "16"];
        let shape = ["--slots", "8", "--slot-len", "64", "--profile", profile, "--json-output"];
        let report = run(&[&["link", "bench", &*name], &plan[..], &shape].concat()).expect_code(0).json();
        assert_eq!([&report["slots"], &report["slot_len"], &report["message_bytes"]], [8, 64, 24]);
        assert_eq!([&report["messages"], &report["round_trips"], &report["batch"]], [3000, 200, 16]);
        assert_eq!([&report["operation"], &report["profile"]], ["link-bench", profile]);
        for rate in [&report["one_way"], &report["batched"]] {
            for key in ["messages_per_second", "nanoseconds_per_message", "throughput_mbps"] {
                assert!(rate[key].as_f64().unwrap() > 0.0, "{report}");
            }
        }
        let times = ["min", "p50", "p90", "p99", "p999", "max"]
            .map(|key| report["round_trip_us"][key].as_f64().unwrap());
        assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    }
}

#[test]
fn people_get_lines_and_the_link_is_gone() {
    let name = LinkName::new("lines");
    let ended = run(&["link", "bench", &name, "-n", "1000", "--round-trips", "100"]).expect_code(0);
    for line in ["one by one", "batches of 64", "round trips 100", "p99.9"] {
        assert!(ended.text().lines().any(|found| found.starts_with(line)), "{}", ended.text());
    }
    run(&["link", "inspect", &name]).expect_code(1);
}
