//! Where a server is: `tcp://host:port`, `unix:///path`, `tls://host:port`.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use strait_core::xcp::numbers::DEFAULT_PORT;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port: `tcp://host:port`, `host:port`, or without the port, which is 9944 then. Numbers of IPv6 stand in
    /// brackets: `tcp://[::1]:9944`.
    Tcp {
        /// Name or number; here without brackets.
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
            "unix" if rest.contains('\0') => Err(bad("no path has a 0 in it")),
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
    if let Some(found) = text.find(|c: char| "/?#@\\".contains(c)) {
        return Err(match text.as_bytes().get(found) {
            Some(b'@') => "there are no users",
            Some(b'?') => "there are no queries",
            Some(b'#') => "there are no fragments",
            _ => "behind the port comes nothing, no path either",
        });
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("a bracket is not closed")?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':').ok_or("behind ] comes :PORT, or nothing")?),
            };
            // The zone is the system's to know.
            let (number, zone) = host.split_once('%').unwrap_or((host, "0"));
            number.parse::<Ipv6Addr>().map_err(|_| "in brackets stands an address of IPv6")?;
            if zone.is_empty() || !zone.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
                return Err("behind % comes the zone of an address of IPv6");
            }
            (host, port)
        }
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            if port.is_some_and(|port| port.contains(':')) {
                // ::1:9944 is an address too.
                return Err("an address of IPv6 stands in brackets: [::1]:9944");
            }
            if host.is_empty() {
                return Err("the host is missing");
            }
            if host.chars().any(|c| c.is_whitespace() || c.is_control() || "[]%".contains(c)) {
                return Err("no host is called so");
            }
            (host, port)
        }
    };
    let digits = |port: &str| port.chars().all(|c| c.is_ascii_digit()).then(|| port.parse().ok()).flatten();
    let port = port.map_or(Some(DEFAULT_PORT), digits).ok_or("the port is no number up to 65535")?;
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
        for text in [
            "tcp://localhost:80",
            "tls://[::1]:9944",
            "tcp://[fe80::1%eth0]:1",
            "tcp://my_host.example:65535",
            "unix:///tmp/a b",
            "unix://relative",
            "unix:///tmp/50%?#@[x]:1",
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        for (text, whole) in [
            ("localhost", "tcp://localhost:9944"),
            ("tls://localhost", "tls://localhost:9944"),
            ("[::1]", "tcp://[::1]:9944"),
            ("[::1]:19945", "tcp://[::1]:19945"),
            ("127.0.0.1:0", "tcp://127.0.0.1:0"),
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), whole);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_never_half_of_it_taken() {
        for (text, why) in [
            ("", "the host is missing"),
            ("tcp://", "the host is missing"),
            ("tcp://:5", "the host is missing"),
            (":5", "the host is missing"),
            ("udp://a:1", "the scheme is none"),
            ("unix://", "the path is missing"),
            ("unix://a\0b", "no path has a 0"),
            ("[::1]19945", "behind ] comes :PORT"),
            ("[::1] :19945", "behind ] comes :PORT"),
            ("[::1]]:19945", "behind ] comes :PORT"),
            ("[::1", "not closed"),
            ("[]:1", "in brackets stands"),
            ("[localhost]:1", "in brackets stands"),
            ("[127.0.0.1]:1", "in brackets stands"),
            ("[fe80::1%]:1", "behind % comes the zone"),
            ("::1", "stands in brackets"),
            ("::1:9944", "stands in brackets"),
            ("a:b:1", "stands in brackets"),
            ("a:", "no number up to 65535"),
            ("[::1]:", "no number up to 65535"),
            ("a:65536", "no number up to 65535"),
            ("a:70000", "no number up to 65535"),
            ("a:+80", "no number up to 65535"),
            ("a:-1", "no number up to 65535"),
            ("a: 80", "no number up to 65535"),
            ("a:80x", "no number up to 65535"),
            ("a:18446744073709551616", "no number up to 65535"),
            ("user@a:1", "no users"),
            ("tcp://user:word@a:1", "no users"),
            ("a:1?x=y", "no queries"),
            ("a?x=y", "no queries"),
            ("a:1#x", "no fragments"),
            ("a:1/", "no path"),
            ("a/b:1", "no path"),
            ("tcp://tcp://a:1", "no path"),
            ("a b:1", "no host is called so"),
            ("a\n:1", "no host is called so"),
            ("a]:1", "no host is called so"),
            ("a%20:1", "no host is called so"),
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
