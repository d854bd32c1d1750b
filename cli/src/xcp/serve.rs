//! How does `strait xcp serve` listen, and when does it end?

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use serde::Serialize;
use strait::xcp::Options;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::level_filters::LevelFilter;

use super::command::{ServerTls, Speech};
use super::failure;
use super::output::Folder;
use super::runtime;
use super::taking::{Form, Taking};
use crate::exit::Failure;
use crate::report::{self, Troubles};

/// Options of `strait xcp serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[arg(
        long,
        value_name = "URL",
        required = true,
        help = "Where to listen: tcp://HOST:PORT, tls://HOST:PORT, unix://PATH; port 0 lets the system choose. Each is told \
                on standard output once it can be reached"
    )]
    listen: Vec<String>,

    /// Sends every message back as it came; without it the answer is an ether that says how many bytes came, and their
    /// SHA-256
    #[arg(long)]
    echo: bool,

    /// Sends every message back as it came, without looking into it, whatever its codec: what the Python implementation's
    /// `send_raw_payload` expects
    #[arg(long, conflicts_with_all = ["echo", "output"])]
    raw_echo: bool,

    /// Writes the body of every message to a file in this folder, which is made if need be. A file has its name once it is
    /// whole and on the disk; what came sealed only this user may read
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,

    /// Ends once so many messages were taken, 0 = no limit
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 0)]
    count: u64,

    /// Connections at once; further ones wait
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    max_connections: u64,

    /// Permission bits of a Unix socket, in octal, whatever the umask: whoever may write it may connect
    #[cfg(unix)]
    #[arg(long, value_name = "OCTAL", default_value = "600", value_parser = crate::args::octal)]
    socket_mode: u32,

    #[command(flatten)]
    tls: ServerTls,

    #[command(flatten)]
    speech: Speech,
}

/// Report of a server.
#[derive(Debug, Serialize)]
struct ServeReport {
    operation: &'static str,
    listening: Vec<String>,
    messages: u64,
    refused: u64,
    bytes: u64,
    errors: Vec<String>,
}

/// Runs `strait xcp serve`.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let form = if args.speech.json_output { Form::Json } else { Form::Line };
    let taking = Arc::new(Taking {
        echo: args.echo || args.raw_echo,
        raw: args.raw_echo,
        output: args.output.as_deref().map(|path| Folder::open(path, args.speech.seals())).transpose()?,
        limit: args.speech.max_message(),
        // Who sends everything back is asked for speed.
        told: (!(args.echo || args.raw_echo) || args.output.is_some() || args.speech.verbose).then_some(form),
        count: args.count,
        taken: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        done: Notify::new(),
    });
    let mut addresses = Vec::new();
    let mut troubles = Troubles::default();
    let _log = args.speech.listen_to_library(LevelFilter::INFO, true);
    match serve(args, &taking, &mut addresses) {
        // Told to stop, it has done what it should.
        Err(failure) if failure.is_interruption() && !addresses.is_empty() => {}
        Err(failure) => troubles.add(failure),
        Ok(()) => {}
    }
    // Relaxed: whoever counted has ended.
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    let told = if args.speech.json_output {
        let report = ServeReport {
            operation: "xcp-serve",
            listening: addresses,
            messages: count(&taking.taken),
            refused: count(&taking.refused),
            bytes: count(&taking.bytes),
            errors: troubles.messages(),
        };
        let text = serde_json::to_string(&report).map_err(Failure::read);
        text.and_then(|text| report::print(&(text + "\n")))
    } else if troubles.has_begun() {
        report::print(&format!(
            "messages  {}\nrefused   {}\nbytes     {}\n",
            count(&taking.taken),
            count(&taking.refused),
            count(&taking.bytes)
        ))
    } else {
        Ok(())
    };
    troubles.conclude().and(told)
}

fn serve(args: &ServeArgs, taking: &Arc<Taking>, addresses: &mut Vec<String>) -> Result<(), Failure> {
    let connections = usize::try_from(args.max_connections).unwrap_or(usize::MAX);
    let mut options = args.tls.apply(args.speech.options()?, &args.listen)?.max_connections(connections);
    #[cfg(unix)]
    {
        options = options.socket_mode(args.socket_mode);
    }
    if args.raw_echo {
        options = options.any_codec();
    }
    runtime::run(async {
        let mut listening = JoinSet::new();
        for address in &args.listen {
            addresses.push(listen(&options, address, taking, &mut listening).await?);
        }
        // All or none: whoever reads a line may rely on the others.
        let lines: String = addresses.iter().map(|address| format!("listening on {address}\n")).collect();
        report::print(&lines)?;
        taking.done.notified().await;
        listening.shutdown().await;
        Ok(())
    })
}

/// Listens at an address, and takes the messages of all who come.
async fn listen(
    options: &Options,
    address: &str,
    taking: &Arc<Taking>,
    listening: &mut JoinSet<()>,
) -> Result<String, Failure> {
    let mut server = options.listen(address).await.map_err(failure::connect)?;
    let address = server.address().to_string();
    let taking = taking.clone();
    listening.spawn(async move {
        // Those who are there go with the server.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                connection = server.accept() => match connection {
                    Some(connection) => {
                        tracing::debug!(peer = connection.peer(), dialect = %connection.dialect(), "connected");
                        connections.spawn(taking.clone().run(connection));
                    }
                    None => return,
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
    });
    Ok(address)
}
