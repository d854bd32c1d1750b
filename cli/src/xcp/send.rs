//! How does `strait xcp send` send a message, and how is it known to have arrived?

use core::time::Duration;
use std::path::PathBuf;
use std::time::Instant;

use clap::{ArgGroup, Args};
use serde::Serialize;
use strait::xcp::{Connection, Message};
use tracing::level_filters::LevelFilter;

use super::answer::{self, Answer, Relation, Sent};
use super::command::{self, ClientTls, Speech};
use super::content::{Content, Encoded};
use super::describe::Sum;
use super::dialect;
use super::failure;
use super::names::{self, AsCodec, codec_name};
use super::runtime;
use super::upload;
use crate::args::Place;
use crate::exit::Failure;
use crate::report::{self, Troubles};

/// Options of `strait xcp send`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("content").required(true).args(["json", "text", "tensor", "file"])))]
pub(crate) struct SendArgs {
    #[arg(help = command::URL)]
    url: String,

    /// Sends the ether in this file of JSON; - is standard input
    #[arg(long, value_name = "FILE")]
    json: Option<Place>,

    /// Sends a text
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Sends the array in this .npy file: 16-, 32- or 64-bit floats, the last as the nearest of 32 bits
    #[arg(long, value_name = "NPY")]
    tensor: Option<PathBuf>,

    /// Sends this file, or what comes out of this pipe: as it is read, where the peer takes plain bytes in chunks that are
    /// not sealed; else whole
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Name of the file for the peer [default: its own]
    #[arg(long, value_name = "NAME", requires = "file")]
    name: Option<String>,

    /// What the file is
    #[arg(long, value_name = "TYPE", requires = "file")]
    media_type: Option<String>,

    /// Encoding of the message [default: the one that suits it; plain bytes for files]
    #[arg(long, value_name = "CODEC", value_enum)]
    as_codec: Option<AsCodec>,

    /// Channel to send on [default: 1; for a file that is sent as it is read one of its own]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    channel: Option<u32>,

    /// Pair for the header
    #[arg(long, value_name = "KEY=VALUE", value_parser = names::tag)]
    tag: Vec<(String, String)>,

    /// Sends it again until the peer says that it has it
    #[arg(long)]
    acknowledged: bool,

    /// The answer must be what was sent
    #[arg(long, conflicts_with = "no_answer")]
    expect_echo: bool,

    /// Waits for no answer
    #[arg(long)]
    no_answer: bool,

    /// Longest wait for the answer, once all was sent, and for the next bytes of a pipe
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = names::duration)]
    timeout: Duration,

    #[command(flatten)]
    tls: ClientTls,

    #[command(flatten)]
    speech: Speech,
}

/// Report of a sender.
#[derive(Debug, Default, Serialize)]
struct SendReport {
    operation: &'static str,
    url: String,
    dialect: Option<String>,
    codec: Option<String>,
    /// Of the body, before compression and sealing.
    bytes: u64,
    sha256: Option<String>,
    streamed: bool,
    /// What both ends can do.
    features: Vec<&'static str>,
    answer: Option<Answer>,
    /// Whether the peer saw what was sent; unset if nobody said.
    equal: Option<bool>,
    duration_seconds: f64,
    errors: Vec<String>,
}

/// Runs `strait xcp send`.
pub(crate) fn run(args: &SendArgs) -> Result<(), Failure> {
    let mut report = SendReport { operation: "xcp-send", url: args.url.clone(), ..SendReport::default() };
    let mut troubles = Troubles::default();
    let _log = args.speech.listen_to_library(LevelFilter::WARN, false);
    if let Err(failure) = send(args, &mut report) {
        troubles.add(failure);
    }
    report.errors = troubles.messages();
    let printed = if args.speech.json_output {
        report::json(&report).and_then(|text| report::print(&text))
    } else if report.sha256.is_some() {
        report::print(&lines(&report))
    } else {
        Ok(())
    };
    troubles.conclude().and(printed)
}

fn send(args: &SendArgs, report: &mut SendReport) -> Result<(), Failure> {
    let options = args.tls.apply(args.speech.options()?, &args.url)?.request_timeout(args.timeout);
    runtime::run(async {
        let limit = args.speech.max_message();
        let mut content = content(args, limit).await?;
        let connection = options.connect(&args.url).await.map_err(failure::connect)?;
        let agreed = connection.agreed();
        report.dialect = Some(dialect::name(connection.dialect()));
        report.features = agreed.features.names().collect();
        let began = Instant::now();
        // What must be on a certain channel, or be kept to be sent again, is sent whole.
        let may_stream = args.channel.is_none() && !args.acknowledged && args.tag.is_empty();
        let file = content.streamed(args.as_codec, &agreed).filter(|_| may_stream);
        let outcome = match file {
            Some(file) => {
                report.streamed = true;
                report.codec = Some(codec_name(strait::xcp::OCTETS));
                stream(args, &connection, file, report).await
            }
            None => {
                let encoded = content.encode(args.as_codec, &agreed, limit).await?;
                whole(args, &connection, encoded, report).await
            }
        };
        report.duration_seconds = began.elapsed().as_secs_f64();
        outcome?;
        let flushed = connection.flush().await;
        if args.no_answer {
            // Nobody else says that it did not go out.
            flushed.map_err(failure::send)?;
        }
        connection.close();
        Ok(())
    })
}

async fn content(args: &SendArgs, limit: u64) -> Result<Content, Failure> {
    let patience = args.timeout;
    if let Some(file) = &args.json {
        return Content::json(file, patience, limit).await;
    }
    if let Some(text) = &args.text {
        return Ok(Content::text(text));
    }
    if let Some(file) = &args.tensor {
        return Content::tensor(file, patience, limit).await;
    }
    let file = args.file.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    Content::file(file, patience, (args.name.as_deref(), args.media_type.as_deref()))
}

/// Sends a file as it is read.
async fn stream(
    args: &SendArgs,
    connection: &Connection,
    file: &mut super::content::FileContent,
    report: &mut SendReport,
) -> Result<(), Failure> {
    if args.no_answer {
        let sum = upload::send(connection, file).await?;
        report.sent(&sum);
        return Ok(());
    }
    let limit = args.speech.max_message();
    let read = async |mut message: Message| {
        let (sum, bytes) = answer::read(&mut message, limit).await.map_err(Failure::read)?;
        Ok((message, sum, bytes))
    };
    let (sum, (message, came, bytes)) = upload::request(connection, file, args.timeout, read).await?;
    report.sent(&sum);
    let sent = Sent { sum: &sum, ether: None };
    let judged = answer::judge(&message, &came, bytes.as_ref(), connection.dialect(), &sent);
    report.answered(judged, args.expect_echo)
}

/// Sends a message that is held whole.
async fn whole(
    args: &SendArgs,
    connection: &Connection,
    encoded: Encoded,
    report: &mut SendReport,
) -> Result<(), Failure> {
    let Encoded { codec, body, schema_key, tags, ether } = encoded;
    let sum = Sum::of(&body);
    report.codec = Some(codec_name(codec));
    report.sent(&sum);
    let tags = tags.into_iter().chain(args.tag.iter().cloned());
    if args.no_answer {
        let mut send = connection.send_body(codec, body);
        if let Some(channel) = args.channel {
            send = send.channel(channel);
        }
        if let Some(key) = schema_key {
            send = send.schema_key(key);
        }
        if args.acknowledged {
            send = send.acknowledged();
        }
        send = tags.fold(send, |send, (key, value)| send.tag(key, value));
        send.await.map_err(failure::send)?;
        return Ok(());
    }
    let mut request = connection.request_body(codec, body).timeout(args.timeout);
    if let Some(channel) = args.channel {
        request = request.channel(channel);
    }
    if let Some(key) = schema_key {
        request = request.schema_key(key);
    }
    if args.acknowledged {
        request = request.acknowledged();
    }
    request = tags.fold(request, |request, (key, value)| request.tag(key, value));
    let mut message = request.await.map_err(failure::request)?;
    let (came, bytes) = answer::read(&mut message, args.speech.max_message()).await.map_err(Failure::read)?;
    let sent = Sent { sum: &sum, ether: ether.as_ref() };
    let judged = answer::judge(&message, &came, bytes.as_ref(), connection.dialect(), &sent);
    report.answered(judged, args.expect_echo)
}

impl SendReport {
    fn sent(&mut self, sum: &Sum) {
        self.bytes = sum.bytes();
        self.sha256 = Some(sum.sha256().to_string());
    }

    fn answered(&mut self, (answer, relation): (Answer, Relation), expect_echo: bool) -> Result<(), Failure> {
        self.equal = match relation {
            Relation::Receipt { equal } => Some(equal),
            Relation::Echo => Some(true),
            Relation::Other => expect_echo.then_some(false),
        };
        let outcome = match relation {
            Relation::Receipt { .. } if expect_echo => Err(Failure::verify(
                "the server sends nothing back: it said what it saw; --echo makes it an echo",
            )),
            Relation::Receipt { equal: false } => {
                let seen = answer.seen.as_ref();
                Err(Failure::verify(format_args!(
                    "the server saw {} bytes, and {} were sent, or others",
                    seen.map_or(0, |seen| seen.bytes),
                    self.bytes
                )))
            }
            Relation::Other if expect_echo => Err(Failure::verify(format_args!(
                "{} bytes came back, and {} were sent, or others",
                answer.bytes, self.bytes
            ))),
            _ => Ok(()),
        };
        self.answer = Some(answer);
        outcome
    }
}

fn lines(report: &SendReport) -> String {
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let how = if report.streamed { ", as it was read" } else { "" };
    let mut text = format!(
        "sent to {}\ndialect   {}\nfeatures  {}\ncodec     {}{how}\nbytes     {}\nsha256    {}\n",
        report.url,
        said(&report.dialect),
        report.features.join(", "),
        said(&report.codec),
        report.bytes,
        said(&report.sha256)
    );
    if let Some(answer) = &report.answer {
        text += &answer.lines();
    }
    if let Some(equal) = report.equal {
        text += &format!("equal     {equal}\n");
    }
    text + &format!("seconds   {:.6}\n", report.duration_seconds)
}
