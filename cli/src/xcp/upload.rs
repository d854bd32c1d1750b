//! How is a file sent as it is read, and its answer read meanwhile?

use core::pin::pin;
use core::time::Duration;
use std::path::Path;

use strait::xcp::{Answer, BodyWriter, Connection, Message, OCTETS, RequestError, SendError, Tags};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;

use super::content::FileContent;
use super::describe::Sum;
use super::failure;
use crate::exit::Failure;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
/// As long as the file takes.
const FOR_EVER: Duration = Duration::MAX;

/// Sends a file as it is read, without an answer.
///
/// # Errors
/// It cannot be read, or not be sent.
pub(super) async fn send(connection: &Connection, file: &FileContent) -> Result<Sum, Failure> {
    let digest = digest_of(&file.path).await?;
    let writer = connection.stream(OCTETS, &tags(file, &digest)).await.map_err(failure::send)?;
    pour(writer, &file.path).await
}

/// Sends a file as it is read, and reads the answer with `read` as it comes: a peer that sends back what it gets would
/// stop if nobody did. After the last byte the answer may take `timeout`.
///
/// # Errors
/// The file cannot be read or not be sent, or there is no answer.
pub(super) async fn request<T>(
    connection: &Connection,
    file: &FileContent,
    timeout: Duration,
    read: impl AsyncFnOnce(Message) -> Result<T, Failure>,
) -> Result<(Sum, T), Failure> {
    let digest = digest_of(&file.path).await?;
    let opened = connection.request_stream(OCTETS, &tags(file, &digest)).await;
    let (writer, answer): (BodyWriter, Answer) = opened.map_err(failure::send)?;
    let poured = Notify::new();
    let pouring = async {
        let sum = pour(writer, &file.path).await;
        poured.notify_one();
        sum
    };
    let reading = async {
        let message = answer.wait(FOR_EVER).await.map_err(failure::request)?;
        read(message).await
    };
    let reading = async {
        let mut reading = pin!(reading);
        tokio::select! {
            biased;
            outcome = &mut reading => return outcome,
            () = poured.notified() => {}
        }
        let late = Failure::read(RequestError::Timeout { after: timeout });
        tokio::time::timeout(timeout, reading).await.unwrap_or(Err(late))
    };
    let mut pouring = pin!(pouring);
    let mut reading = pin!(reading);
    // A refusal ends the upload, and an upload that failed ends the waiting.
    tokio::select! {
        biased;
        outcome = &mut reading => {
            let outcome = outcome?;
            Ok((pouring.await?, outcome))
        }
        sum = &mut pouring => {
            let sum = sum?;
            Ok((sum, reading.await?))
        }
    }
}

fn tags<'t>(file: &'t FileContent, digest: &'t str) -> [(&'t str, &'t str); 3] {
    [("name", &file.name), (Tags::MEDIA_TYPE, &file.media_type), ("sha256", digest)]
}

/// The peer is told what it will have seen in the end.
async fn digest_of(path: &Path) -> Result<String, Failure> {
    let mut sum = Sum::default();
    each_piece(path, async |bytes| {
        sum.add(&bytes);
        Ok(())
    })
    .await?;
    Ok(sum.sha256().to_string())
}

async fn pour(mut writer: BodyWriter, path: &Path) -> Result<Sum, Failure> {
    let mut sum = Sum::default();
    each_piece(path, async |bytes| {
        sum.add(&bytes);
        writer.write(bytes).await
    })
    .await?;
    writer.finish().await.map_err(failure::send)?;
    Ok(sum)
}

async fn each_piece(
    path: &Path,
    mut take: impl AsyncFnMut(Vec<u8>) -> Result<(), SendError>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::usage(format_args!("{}: {error}", path.display()));
    let mut file = File::open(path).await.map_err(failed)?;
    loop {
        let mut bytes = Vec::with_capacity(PIECE);
        if file.read_buf(&mut bytes).await.map_err(failed)? == 0 {
            return Ok(());
        }
        take(bytes).await.map_err(failure::send)?;
    }
}
