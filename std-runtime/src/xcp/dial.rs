//! Which of a host's addresses is connected to: the first that answers, however long the others keep silent.
//!
//! The families take turns, in the order in which the system resolved them. An address that has not answered after a
//! pause is still waited for while the next one is tried; one that fails is followed at once. Source: RFC 8305.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::error::{Attempt, ConnectError};

/// Before the next address is tried as well. Source: RFC 8305, section 5, "Connection Attempt Delay".
const PAUSE: Duration = Duration::from_millis(250);
/// A time that nobody waits for.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// When `timeout` from now is over.
pub(super) fn deadline_of(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + NEVER)
}

/// Connects to a host before `deadline`, which is `after` from the start.
pub(super) async fn dial(
    address: &Address,
    (host, port): (&str, u16),
    (after, deadline): (Duration, Instant),
) -> Result<TcpStream, ConnectError> {
    let io = |source| ConnectError::Io { address: address.to_string(), source };
    let late = || ConnectError::Timeout { address: address.to_string(), after };
    let found = timeout_at(deadline, lookup_host((host, port))).await.map_err(|_| late())?.map_err(io)?;
    let addresses = in_turns(found);
    if addresses.is_empty() {
        return Err(io(io::Error::new(io::ErrorKind::NotFound, "the host has no address")));
    }
    let stream = dial_any(&addresses, deadline).await.map_err(|mut tried| match tried.pop() {
        Some(Attempt { source, .. }) if tried.is_empty() => match source.kind() {
            // The system's own limit may be over before ours.
            io::ErrorKind::TimedOut if source.raw_os_error().is_none() => late(),
            _ => io(source),
        },
        last => ConnectError::Unreachable {
            address: address.to_string(),
            tried: tried.into_iter().chain(last).collect(),
        },
    })?;
    stream.set_nodelay(true).map_err(io)?;
    Ok(stream)
}

/// The same on a thread that waits: the socket blocks.
pub(super) fn dial_blocking(
    address: &Address,
    host: (&str, u16),
    after: Duration,
) -> Result<std::net::TcpStream, ConnectError> {
    let io = |source| ConnectError::Io { address: address.to_string(), source };
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
        let stream = runtime.block_on(async {
            let stream = dial(address, host, (after, deadline_of(after))).await?;
            let stream = stream.into_std().map_err(io)?;
            stream.set_nonblocking(false).map_err(io)?;
            Ok(stream)
        });
        // A name server that does not answer is not waited for any longer.
        runtime.shutdown_background();
        stream
    };
    std::thread::scope(|scope| {
        // Whoever calls may be inside of a runtime, where another one cannot be waited for.
        let thread = std::thread::Builder::new().name("xcp-dial".to_owned()).spawn_scoped(scope, work);
        thread.map_err(io)?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The families in turns, that of the first address first; each address once.
fn in_turns(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    for address in addresses {
        let family = match first.front() {
            Some(other) if SocketAddr::is_ipv4(other) != address.is_ipv4() => &mut second,
            _ => &mut first,
        };
        if !family.contains(&address) {
            family.push_back(address);
        }
    }
    let mut turns = Vec::new();
    while !(first.is_empty() && second.is_empty()) {
        turns.extend(first.pop_front().into_iter().chain(second.pop_front()));
    }
    turns
}

/// Connects to the first address that answers before `deadline`; else why each did not.
async fn dial_any(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Vec<Attempt>> {
    // Dropped, it gives up those who lost.
    let mut under_way = JoinSet::new();
    let mut failed: Vec<Option<io::Error>> = addresses.iter().map(|_| None).collect();
    let mut begun = 0;
    loop {
        if let Some(address) = addresses.get(begun).copied() {
            let at = begun;
            under_way.spawn(async move { (at, TcpStream::connect(address).await) });
            begun += 1;
        }
        let all = begun == addresses.len();
        let until = if all { deadline } else { deadline.min(Instant::now() + PAUSE) };
        match timeout_at(until, under_way.join_next()).await {
            Ok(Some(Ok((_, Ok(stream))))) => return Ok(stream),
            Ok(Some(Ok((at, Err(error))))) => failed[at] = Some(error),
            // The runtime ends, and takes its tasks with it.
            Ok(Some(Err(_))) => {}
            Ok(None) if all => break,
            Err(_) if until == deadline => break,
            Ok(None) | Err(_) => {}
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    let late = |at| {
        let why = if at < begun { "no answer in time" } else { "not tried: the time was over" };
        io::Error::new(io::ErrorKind::TimedOut, why)
    };
    let tried = addresses.iter().zip(failed).enumerate();
    Err(tried
        .map(|(at, (address, error))| Attempt {
            address: *address,
            source: error.unwrap_or_else(|| late(at)),
        })
        .collect())
}

// Elsewhere a listener whose backlog is full refuses, and does not keep silent.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// A listener whose backlog is full, so that it does not answer; and the connections that fill it.
    struct Silent {
        _listener: socket2::Socket,
        _clients: Vec<socket2::Socket>,
        address: SocketAddr,
    }

    impl Silent {
        fn new() -> Self {
            let socket = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            let listener = socket();
            listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
            listener.listen(0).unwrap();
            let address = listener.local_addr().unwrap();
            // Linux takes one more than it is told.
            let clients = (0..4).map(|_| {
                let client = socket();
                client.set_nonblocking(true).unwrap();
                let _ = client.connect(&address);
                client
            });
            let clients = clients.collect();
            Self { _listener: listener, _clients: clients, address: address.as_socket().unwrap() }
        }
    }

    fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address that refuses.
    fn refusing() -> SocketAddr {
        listening().1
    }

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn families_take_turns_and_each_address_comes_once() {
        let of =
            |text: &[&str]| text.iter().map(|address| address.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let found = of(&["[::1]:1", "[::2]:1", "[::1]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let turns = of(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(in_turns(found), turns);
        let found = of(&["1.1.1.1:1", "[::1]:1"]);
        assert_eq!(in_turns(found.clone()), found);
        assert_eq!(in_turns([]), []);
    }

    #[tokio::test]
    async fn a_silent_address_does_not_keep_the_next_one_from_answering() {
        let (silent, (listener, good)) = (Silent::new(), listening());
        for addresses in
            [&[silent.address, good][..], &[refusing(), silent.address, refusing(), good], &[good]]
        {
            let stream = dial_any(addresses, deadline_of(LONG)).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), good);
            let (_accepted, peer) = listener.accept().unwrap();
            assert_eq!(stream.local_addr().unwrap(), peer);
        }
    }

    #[tokio::test]
    async fn the_error_says_what_became_of_every_address() {
        let (silent, gone) = (Silent::new(), refusing());
        let tried = dial_any(&[silent.address, gone], deadline_of(PAUSE * 2)).await.unwrap_err();
        let kinds: Vec<_> = tried.iter().map(|each| (each.address, each.source.kind())).collect();
        let wanted = [(silent.address, io::ErrorKind::TimedOut), (gone, io::ErrorKind::ConnectionRefused)];
        assert_eq!(kinds, wanted);
        let error = ConnectError::Unreachable { address: "tcp://host:1".to_owned(), tried }.to_string();
        for part in
            ["tcp://host:1", &silent.address.to_string(), "no answer in time", &gone.to_string(), "refused"]
        {
            assert!(error.contains(part), "{error}");
        }
        // Nothing is said to be tried that was not.
        let tried = dial_any(&[silent.address, gone], deadline_of(Duration::ZERO)).await.unwrap_err();
        assert!(tried[1].source.to_string().contains("not tried"), "{tried:?}");
        let tried = dial_any(&[gone, gone], deadline_of(LONG)).await.unwrap_err();
        assert!(tried.iter().all(|each| each.source.kind() == io::ErrorKind::ConnectionRefused), "{tried:?}");
        assert!(dial_any(&[], deadline_of(LONG)).await.unwrap_err().is_empty());
    }

    #[test]
    fn one_address_is_told_of_as_itself_and_the_time_spans_all() {
        let (silent, gone) = (Silent::new(), refusing());
        let dial = |to: SocketAddr, after| {
            let address = Address::Tcp { host: to.ip().to_string(), port: to.port() };
            dial_blocking(&address, (&to.ip().to_string(), to.port()), after).unwrap_err()
        };
        let error = dial(gone, LONG);
        assert!(
            matches!(&error, ConnectError::Io { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused),
            "{error}"
        );
        let after = Duration::from_millis(20);
        let error = dial(silent.address, after);
        assert!(matches!(error, ConnectError::Timeout { after: told, .. } if told == after), "{error}");
    }

    #[tokio::test]
    async fn a_blocking_socket_can_be_dialled_inside_of_a_runtime() {
        let (listener, good) = listening();
        let address = Address::Tcp { host: "localhost".to_owned(), port: good.port() };
        // `localhost` is an address of IPv6 as well, on most machines, that nobody listens on here.
        let stream = dial_blocking(&address, ("localhost", good.port()), LONG).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let (mut accepted, _) = listener.accept().unwrap();
        io::Write::write_all(&mut accepted, b"x").unwrap();
        let mut byte = [0];
        io::Read::read_exact(&mut &stream, &mut byte).unwrap();
        assert_eq!(byte, *b"x");
    }
}
