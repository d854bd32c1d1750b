//! Which trace an ether belongs to, when it was made, and which nodes it has passed.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Ether;
use super::error::EtherError;

const TRACE_ID: &str = "trace_id";
const CREATED_AT: &str = "created_at";
const LINEAGE: &str = "lineage";

/// One node that an ether has passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lineage<'e> {
    /// Its name.
    pub node: &'e str,
    /// Its version, a text or a number; under `version`, or `ver` as the specification has it.
    pub version: Option<&'e Value>,
    /// When, as RFC 3339.
    pub at: Option<&'e str>,
}

impl Ether {
    /// Gives it a trace id, a random UUID, and the time of now, unless it has them.
    ///
    /// # Errors
    /// [`EtherError::NoRandom`] if the system gives no random bytes.
    pub fn stamped(mut self) -> Result<Self, EtherError> {
        if !self.metadata.contains_key(TRACE_ID) {
            self.metadata.insert(TRACE_ID.to_owned(), new_trace_id()?.into());
        }
        if !self.metadata.contains_key(CREATED_AT) {
            self.metadata.insert(CREATED_AT.to_owned(), rfc3339(SystemTime::now()).into());
        }
        Ok(self)
    }

    /// The id of the trace that it belongs to.
    pub fn trace_id(&self) -> Option<&str> {
        self.metadata.get(TRACE_ID)?.as_str()
    }

    /// When it was made, as RFC 3339; its maker's clock.
    pub fn created_at(&self) -> Option<&str> {
        self.metadata.get(CREATED_AT)?.as_str()
    }

    /// Notes that it passed `node` of this version now.
    ///
    /// # Errors
    /// [`EtherError::WrongType`] if something else than a list stands in `metadata.lineage`; nothing is changed then.
    pub fn append_lineage(&mut self, node: &str, version: impl Into<Value>) -> Result<(), EtherError> {
        let lineage = self.metadata.entry(LINEAGE).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(nodes) = lineage else {
            return Err(EtherError::WrongType { path: "metadata.lineage", wanted: "a list" });
        };
        let version: Value = version.into();
        nodes.push(json!({ "node": node, "version": version, "ts": rfc3339(SystemTime::now()) }));
        Ok(())
    }

    /// The nodes that it has passed, the first first. What is no node is passed over.
    pub fn lineage(&self) -> impl Iterator<Item = Lineage<'_>> {
        let nodes = self.metadata.get(LINEAGE).and_then(Value::as_array);
        nodes.into_iter().flatten().filter_map(|node| {
            Some(Lineage {
                node: node.get("node")?.as_str()?,
                version: node.get("version").or_else(|| node.get("ver")),
                at: node.get("ts").and_then(Value::as_str),
            })
        })
    }
}

/// A random UUID, version 4.
fn new_trace_id() -> Result<String, EtherError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| EtherError::NoRandom { why: error.to_string() })?;
    let bits = u128::from_be_bytes(bytes) & !(0xF << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// `time` in UTC with microseconds, as RFC 3339; times before 1970 are that year's beginning.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days since 0000-03-01, so that the leap day is the last of its year (Howard Hinnant's civil_from_days).
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", since.subsec_micros())
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_753_747_199_999_999, "2025-07-28T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_micros(micros)), text);
        }
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn an_ether_is_stamped_once_with_an_id_of_its_own() {
        let ether = Ether::text("a").stamped().unwrap();
        let id = ether.trace_id().unwrap().to_owned();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        let again = ether.clone().stamped().unwrap();
        assert_eq!(again, ether);
        assert_ne!(Ether::text("a").stamped().unwrap().trace_id(), Some(id.as_str()));
        assert!(ether.created_at().is_some_and(|at| at.ends_with('Z')));
    }

    #[test]
    fn lineage_is_appended_and_both_names_of_the_version_are_read() {
        let mut ether = Ether::text("a").metadata("lineage", json!([{ "node": "a", "ver": 1 }, 7]));
        ether.append_lineage("b", "2.0").unwrap();
        let nodes: Vec<_> = ether.lineage().map(|item| (item.node, item.version.cloned())).collect();
        assert_eq!(nodes, [("a", Some(json!(1))), ("b", Some(json!("2.0")))]);
        assert!(ether.lineage().last().is_some_and(|item| item.at.is_some()));
        let mut other = Ether::text("a").metadata("lineage", 1);
        assert!(other.append_lineage("b", 1).is_err());
        assert_eq!(other.metadata["lineage"], 1);
    }
}
