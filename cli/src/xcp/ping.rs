//! How does `strait xcp ping` find out whether a server is there, and what was agreed on?

use core::time::Duration;

use clap::Args;
use serde::Serialize;
use tracing::level_filters::LevelFilter;

use super::command::{self, ClientTls, Speech};
use super::dialect;
use super::failure;
use super::names::{self, codec_name};
use super::runtime;
use crate::exit::Failure;
use crate::latency::{Latency, Percentiles};
use crate::report::{self, Troubles};

/// Options of `strait xcp ping`.
#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    #[arg(help = command::URL)]
    url: String,

    /// How often to ask
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,

    /// Pause between two
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = names::duration)]
    interval: Duration,

    /// Longest wait for each answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = names::duration)]
    timeout: Duration,

    #[command(flatten)]
    tls: ClientTls,

    #[command(flatten)]
    speech: Speech,
}

/// Report of a ping.
#[derive(Debug, Default, Serialize)]
struct PingReport {
    operation: &'static str,
    url: String,
    dialect: Option<String>,
    codecs: Vec<String>,
    features: Vec<&'static str>,
    extensions: Vec<&'static str>,
    max_frame: Option<u32>,
    count: u64,
    round_trip_us: Option<Percentiles>,
    errors: Vec<String>,
}

/// Runs `strait xcp ping`.
pub(crate) fn run(args: &PingArgs) -> Result<(), Failure> {
    let mut report = PingReport { operation: "xcp-ping", url: args.url.clone(), ..PingReport::default() };
    let mut troubles = Troubles::default();
    let _log = args.speech.listen_to_library(LevelFilter::WARN, false);
    if let Err(failure) = ping(args, &mut report) {
        troubles.add(failure);
    }
    report.errors = troubles.messages();
    let printed = if args.speech.json_output {
        report::json(&report).and_then(|text| report::print(&text))
    } else if report.dialect.is_some() {
        report::print(&lines(&report))
    } else {
        Ok(())
    };
    troubles.conclude().and(printed)
}

fn ping(args: &PingArgs, report: &mut PingReport) -> Result<(), Failure> {
    let options = args.tls.apply(args.speech.options()?, &args.url)?.request_timeout(args.timeout);
    let mut latency = Latency::new();
    let outcome = runtime::run(async {
        let connection = options.connect(&args.url).await.map_err(failure::connect)?;
        let agreed = connection.agreed();
        report.dialect = Some(dialect::name(connection.dialect()));
        report.codecs = agreed.codecs.iter().map(|codec| codec_name(*codec)).collect();
        report.features = agreed.features.names().collect();
        report.extensions = agreed.extensions.names().collect();
        report.max_frame = Some(agreed.max_frame);
        for index in 0..args.count {
            if index > 0 && !args.interval.is_zero() {
                tokio::time::sleep(args.interval).await;
            }
            let took = connection.ping().await.map_err(failure::request)?;
            latency.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            report.count += 1;
        }
        connection.close();
        Ok(())
    });
    report.round_trip_us = Percentiles::of(&latency);
    outcome
}

fn lines(report: &PingReport) -> String {
    let mut text = format!(
        "{}\ndialect    {}\ncodecs     {}\nfeatures   {}\nmax frame  {} bytes\npongs      {}\n",
        report.url,
        report.dialect.as_deref().unwrap_or_default(),
        report.codecs.join(", "),
        [&report.features[..], &report.extensions[..]].concat().join(", "),
        report.max_frame.unwrap_or_default(),
        report.count
    );
    if let Some(Percentiles { min, p50, p99, .. }) = report.round_trip_us {
        text += &format!("min        {min:.1} us\nmedian     {p50:.1} us\np99        {p99:.1} us\n");
    }
    text
}
