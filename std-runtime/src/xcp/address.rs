//! Where a server is: `tcp://host:port`, `unix:///path`, `tls://host:port`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use strait_core::xcp::numbers::DEFAULT_PORT;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port: `tcp://host:port`, `host:port`, or without the port, which is 9944 then.
    Tcp {
        /// Name or number; numbers of IPv6 without brackets.
        host: String,
        /// The port; 0 lets a listener choose.
        port: u16,
    },
    /// The same with TLS on it: `tls://host:port`.
    Tls {
        /// Name or number; the server's certificate must be for it.
        host: String,
        /// The port; 0 lets a listener choose.
        port: u16,
    },
    /// A Unix socket: `unix:///path` or `unix://relative`.
    Unix {
        /// The socket's file.
        path: PathBuf,
    },
}

/// A text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address: {why}; there are tcp://HOST:PORT, tls://HOST:PORT and unix://PATH")]
pub struct BadAddress {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |why| BadAddress { text: text.to_owned(), why };
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        match scheme {
            "unix" if rest.is_empty() => Err(bad("the path is missing")),
            "unix" => Ok(Self::Unix { path: rest.into() }),
            "tcp" | "tls" => {
                let (host, port) = host_and_port(rest).map_err(bad)?;
                Ok(if scheme == "tls" { Self::Tls { host, port } } else { Self::Tcp { host, port } })
            }
            _ => Err(bad("the scheme is none of tcp, tls and unix")),
        }
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a bracket is not closed")?;
            (host, port.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("the host is missing");
    }
    let port =
        port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| "the port is no number up to 65535"))?;
    Ok((host.to_owned(), port))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Unix { path } => return write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Tls { host, port } => ("tls", host, port),
        };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for text in ["tcp://localhost:80", "tls://[::1]:9944", "unix:///tmp/a b", "unix://relative"] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        assert_eq!("localhost".parse::<Address>().expect("a host").to_string(), "tcp://localhost:9944");
        assert_eq!("::1".parse::<Address>().expect("a host").to_string(), "tcp://[::1]:9944");
        assert_eq!("127.0.0.1:0".parse::<Address>().expect("a host").to_string(), "tcp://127.0.0.1:0");
        for text in ["udp://a:1", "unix://", "tcp://:5", "a:70000", "[::1", ""] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
