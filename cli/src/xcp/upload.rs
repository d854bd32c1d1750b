//! How is a file sent as it is read, and its answer read meanwhile?

use core::pin::pin;
use core::time::Duration;

use strait::xcp::{Answer, BodyWriter, Connection, Message, OCTETS, RequestError, Tags};
use tokio::sync::Notify;

use super::content::FileContent;
use super::describe::Sum;
use super::failure;
use super::source::Source;
use crate::exit::Failure;

/// As long as the file takes.
const FOR_EVER: Duration = Duration::MAX;

/// Sends a file as it is read, without an answer.
///
/// # Errors
/// It cannot be read, or not be sent; it changed meanwhile.
pub(super) async fn send(connection: &Connection, file: &mut FileContent) -> Result<Sum, Failure> {
    let begun = Begun::of(&mut file.source).await?;
    let digest = begun.digest();
    let writer = connection.stream(OCTETS, &tags(file, digest.as_deref())).await.map_err(failure::send)?;
    pour(writer, &mut file.source, begun).await
}

/// Sends a file as it is read, and reads the answer with `read` as it comes: a peer that sends back what it gets would
/// stop if nobody did. After the last byte the answer may take `timeout`.
///
/// # Errors
/// The file cannot be read or not be sent, or changed meanwhile; or there is no answer.
pub(super) async fn request<T>(
    connection: &Connection,
    file: &mut FileContent,
    timeout: Duration,
    read: impl AsyncFnOnce(Message) -> Result<T, Failure>,
) -> Result<(Sum, T), Failure> {
    let begun = Begun::of(&mut file.source).await?;
    let digest = begun.digest();
    let opened = connection.request_stream(OCTETS, &tags(file, digest.as_deref())).await;
    let (writer, answer): (BodyWriter, Answer) = opened.map_err(failure::send)?;
    let poured = Notify::new();
    let pouring = async {
        let sum = pour(writer, &mut file.source, begun).await;
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

fn tags<'t>(file: &'t FileContent, digest: Option<&'t str>) -> Vec<(&'t str, &'t str)> {
    let mut tags = vec![("name", &*file.name), (Tags::MEDIA_TYPE, &*file.media_type)];
    tags.extend(digest.map(|digest| ("sha256", digest)));
    tags
}

/// What is known before the first byte is sent.
enum Begun {
    /// What the peer will have seen in the end.
    File(Sum),
    /// The first bytes of what comes once: a peer does not wait long for those of a message that was begun.
    Once(Vec<u8>),
}

impl Begun {
    async fn of(source: &mut Source) -> Result<Self, Failure> {
        if !source.is_file() {
            return source.piece().await.map(Self::Once);
        }
        let mut sum = Sum::default();
        loop {
            let bytes = source.piece().await?;
            if bytes.is_empty() {
                source.rewind().await?;
                return Ok(Self::File(sum));
            }
            sum.add(&bytes);
        }
    }

    /// What the peer is told to expect. Of what comes once it is known when it is over; the answer is compared with it.
    fn digest(&self) -> Option<String> {
        match self {
            Self::File(sum) => Some(sum.sha256().to_string()),
            Self::Once(_) => None,
        }
    }
}

/// Writes all of a file. One that changed on the way is given up: the peer takes none of it.
async fn pour(mut writer: BodyWriter, source: &mut Source, begun: Begun) -> Result<Sum, Failure> {
    let mut sum = Sum::default();
    let (expected, mut bytes) = match begun {
        Begun::File(sum) => (Some(sum), source.piece().await?),
        Begun::Once(bytes) => (None, bytes),
    };
    while !bytes.is_empty() {
        sum.add(&bytes);
        if let Some(expected) = expected.as_ref().filter(|expected| sum.bytes() > expected.bytes()) {
            return Err(source.failed(&format_args!(
                "it grew while it was sent: it had {} bytes, and has more",
                expected.bytes()
            )));
        }
        writer.write(bytes).await.map_err(failure::send)?;
        bytes = source.piece().await?;
    }
    if let Some(expected) = expected {
        let (before, after) = (expected.bytes(), sum.bytes());
        if after < before {
            return Err(source.failed(&format_args!(
                "it shrank while it was sent: it had {before} bytes, and has {after}"
            )));
        }
        if sum.sha256() != expected.sha256() {
            return Err(source.failed(&format_args!("its {before} bytes changed while they were sent")));
        }
    }
    writer.finish().await.map_err(failure::send)?;
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use strait::xcp::{BodyError, Options};

    use super::*;

    /// A file that goes with its test.
    struct TempFile(PathBuf);

    impl TempFile {
        fn new(what: &str, len: usize) -> Self {
            let name = format!("strait-upload-{what}-{}", std::process::id());
            let file = Self(std::env::temp_dir().join(name));
            std::fs::write(&file.0, vec![7; len]).unwrap();
            file
        }
    }

    impl Drop for TempFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// Sends a file that `change` changes once its digest is known: why it was given up, and what the peer made of it.
    async fn sent(what: &str, change: impl FnOnce(&std::fs::File)) -> (Failure, BodyError) {
        const LEN: usize = 3 << 20;
        let file = TempFile::new(what, LEN);
        let options = Options::new().stream_over(1000);
        let mut server = options.listen("tcp://127.0.0.1:0").await.unwrap();
        let address = server.address().to_string();
        let (client, accepted) = tokio::join!(options.connect(&address), server.accept());
        let (client, accepted) = (client.unwrap(), accepted.unwrap());
        let reading = tokio::spawn(async move {
            let mut message = accepted.recv().await.unwrap();
            loop {
                match message.next_chunk().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("the message is complete"),
                    Err(error) => return error,
                }
            }
        });
        let mut source = Source::open(&file.0, Duration::from_secs(600)).unwrap();
        let begun = Begun::of(&mut source).await.unwrap();
        assert_eq!(begun.digest().unwrap().len(), 64);
        change(&std::fs::OpenOptions::new().write(true).open(&file.0).unwrap());
        let writer = client.stream(OCTETS, &[]).await.unwrap();
        let failure = pour(writer, &mut source, begun).await.unwrap_err();
        drop(client);
        (failure, reading.await.unwrap())
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_sent_is_given_up_and_said() {
        use std::io::{Seek as _, SeekFrom, Write as _};
        let (grown, at_peer) = sent("grown", |file| file.set_len((3 << 20) + 1).unwrap()).await;
        assert!(grown.message.contains("grew while it was sent: it had 3145728 bytes"), "{grown:?}");
        assert_eq!(at_peer, BodyError::Closed);
        let (shrunk, _) = sent("shrunk", |file| file.set_len(2 << 20).unwrap()).await;
        assert!(shrunk.message.contains("had 3145728 bytes, and has 2097152"), "{shrunk:?}");
        let (other, _) = sent("other", |mut file| {
            file.seek(SeekFrom::Start(3_000_000)).unwrap();
            file.write_all(b"other").unwrap();
        })
        .await;
        assert!(other.message.contains("its 3145728 bytes changed"), "{other:?}");
        assert_eq!(other.code, crate::exit::USAGE);
    }
}
