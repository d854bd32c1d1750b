//! How large the parts of an ether may be that stand in the envelope itself.

use serde_json::{Map, Value};

use super::Ether;
use super::error::EtherError;

/// Limits that [`Ether::check_limits`] looks at, before an ether is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtherLimits {
    /// Estimated size of one value, bytes: characters of a text, 8 for a number, the sum for a list. The members of an
    /// object count one by one. MaiEther's limit by default.
    pub value: usize,
    /// How many attachments.
    pub attachments: usize,
}

impl Default for EtherLimits {
    fn default() -> Self {
        Self { value: 65_536, attachments: 1024 }
    }
}

impl EtherLimits {
    /// The same with another limit for values.
    #[must_use]
    pub const fn with_value(self, value: usize) -> Self {
        Self { value, ..self }
    }

    /// The same with another limit for the number of attachments.
    #[must_use]
    pub const fn with_attachments(self, attachments: usize) -> Self {
        Self { attachments, ..self }
    }
}

fn estimate(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.chars().count(),
        Value::Array(values) => values.iter().map(estimate).sum(),
        Value::Object(members) => members.values().map(estimate).sum(),
    }
}

fn check_members(members: &Map<String, Value>, path: &str, max: usize) -> Result<(), EtherError> {
    for (key, value) in members {
        let path = format!("{path}.{key}");
        if let Value::Object(members) = value {
            check_members(members, &path, max)?;
            continue;
        }
        let size = estimate(value);
        if size > max {
            return Err(EtherError::ValueTooLarge { path, size, max });
        }
    }
    Ok(())
}

impl Ether {
    /// Whether every value is small enough to stand in the envelope, and there are not too many attachments.
    ///
    /// # Errors
    /// [`EtherError::ValueTooLarge`], [`EtherError::TooManyAttachments`].
    pub fn check_limits(&self, limits: &EtherLimits) -> Result<(), EtherError> {
        let count = self.attachments.len();
        if count > limits.attachments {
            return Err(EtherError::TooManyAttachments { count, max: limits.attachments });
        }
        check_members(&self.payload, "payload", limits.value)?;
        check_members(&self.metadata, "metadata", limits.value)?;
        check_members(&self.extra_fields, "extra_fields", limits.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_by_itself_and_texts_by_characters() {
        let limits = EtherLimits::default();
        let numbers = |count| Ether::new("embedding", 1).payload("values", vec![0.5; count]);
        assert_eq!(numbers(8192).check_limits(&limits), Ok(()));
        let path = "payload.values".to_owned();
        let large = EtherError::ValueTooLarge { path, size: 65_544, max: 65_536 };
        assert_eq!(numbers(8193).check_limits(&limits), Err(large));

        let text = "ä".repeat(65_536);
        let two = Ether::text(&text).metadata("nested", serde_json::json!({ "a": text, "b": text }));
        assert_eq!(two.check_limits(&limits), Ok(()));
        assert!(two.check_limits(&limits.with_value(65_535)).is_err());
        let attached = two.attach(crate::xcp::Attachment::default());
        let many = EtherError::TooManyAttachments { count: 1, max: 0 };
        assert_eq!(attached.check_limits(&limits.with_attachments(0)), Err(many));
    }
}
