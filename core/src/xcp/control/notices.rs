//! What do ACK, NACK, PING and PONG say?
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::protobuf::Message;
use super::{Body, ControlError, read_number, read_object};
use crate::xcp::json::Writer;
use crate::xcp::numbers::{CodecId, ErrorCode};

/// A message arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ack {
    /// Number of the message.
    pub msg_id: u64,
}

/// A message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nack {
    /// Number of the message; 0 if it had none or it could not be read.
    pub msg_id: u64,
    /// Why.
    pub code: ErrorCode,
    /// After how many milliseconds it may be worth another try; 0 is not said.
    pub retry_after_ms: u32,
}

/// Is the peer there? PONG is the body of the PING as it came, so only who pinged knows what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ping {
    /// Whatever is to come back. The Python implementation sends the time in microseconds.
    pub nonce: u64,
}

impl Ack {
    /// Reads a body that is encoded as `codec`, or as JSON if it begins with a brace.
    ///
    /// # Errors
    /// [`ControlError`]: another codec, not encoded so, or no number from 0 to 2^64 - 1.
    pub fn read(codec: CodecId, body: &[u8]) -> Result<Self, ControlError> {
        let mut ack = Self::default();
        match Body::new(codec, body)? {
            Body::Json(json) => read_object(json, |json, key| {
                match key {
                    "msg_id" => ack.msg_id = read_number(json, "msg_id", u64::MAX)?,
                    _ => json.skip()?,
                }
                Ok(())
            })?,
            Body::Protobuf(mut fields) => {
                while let Some(field) = fields.next()? {
                    if field.number == 1 {
                        ack.msg_id = field.number("msg_id", u64::MAX)?;
                    }
                }
            }
        }
        Ok(ack)
    }

    /// Writes it as JSON to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_json(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        let mut json = Writer::new(out);
        json.object(|json| json.key("msg_id").number(self.msg_id));
        Ok(json.finish()?)
    }

    /// Writes it as Protobuf to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_protobuf(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        let mut message = Message::new(out);
        message.number(1, self.msg_id);
        Ok(message.finish()?)
    }
}

impl Nack {
    /// Reads a body that is encoded as `codec`, or as JSON if it begins with a brace.
    ///
    /// # Errors
    /// [`ControlError`]: another codec, not encoded so, or what should be a number is none or too large.
    pub fn read(codec: CodecId, body: &[u8]) -> Result<Self, ControlError> {
        let mut nack = Self { msg_id: 0, code: ErrorCode::OK, retry_after_ms: 0 };
        match Body::new(codec, body)? {
            Body::Json(json) => read_object(json, |json, key| {
                match key {
                    "msg_id" => nack.msg_id = read_number(json, "msg_id", u64::MAX)?,
                    "error_code" => nack.code = ErrorCode(read_number(json, "error_code", u32::MAX)?),
                    "retry_after_ms" => {
                        nack.retry_after_ms = read_number(json, "retry_after_ms", u32::MAX)?;
                    }
                    _ => json.skip()?,
                }
                Ok(())
            })?,
            Body::Protobuf(mut fields) => {
                while let Some(field) = fields.next()? {
                    match field.number {
                        1 => nack.msg_id = field.number("msg_id", u64::MAX)?,
                        2 => nack.code = ErrorCode(field.number("error_code", u32::MAX)?),
                        3 => nack.retry_after_ms = field.number("retry_after_ms", u32::MAX)?,
                        _ => {}
                    }
                }
            }
        }
        Ok(nack)
    }

    /// Writes it as JSON to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_json(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        let mut json = Writer::new(out);
        json.object(|json| {
            json.key("msg_id").number(self.msg_id);
            json.key("error_code").number(self.code.0);
            json.key("retry_after_ms").number(self.retry_after_ms);
        });
        Ok(json.finish()?)
    }

    /// Writes it as Protobuf to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_protobuf(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        let mut message = Message::new(out);
        message.number(1, self.msg_id);
        message.number(2, self.code.0);
        message.number(3, self.retry_after_ms);
        Ok(message.finish()?)
    }
}

impl Ping {
    /// The nonce of a body, if it has one: the body of a PING may be anything.
    pub fn read(codec: CodecId, body: &[u8]) -> Option<Self> {
        let mut nonce = None;
        match Body::new(codec, body).ok()? {
            Body::Json(json) => read_object(json, |json, key| {
                match key {
                    "nonce" => nonce = json.integer()?,
                    _ => json.skip()?,
                }
                Ok(())
            })
            .ok()?,
            Body::Protobuf(mut fields) => {
                nonce = Some(0);
                while let Some(field) = fields.next().ok()? {
                    if field.number == 1 {
                        nonce = field.number("nonce", u64::MAX).ok();
                    }
                }
            }
        }
        nonce.map(|nonce| Self { nonce })
    }

    /// Writes it as JSON to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_json(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        let mut json = Writer::new(out);
        json.object(|json| json.key("nonce").number(self.nonce));
        Ok(json.finish()?)
    }

    /// Writes it as Protobuf to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_protobuf(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        let mut message = Message::new(out);
        message.number(1, self.nonce);
        Ok(message.finish()?)
    }
}
