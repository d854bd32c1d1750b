//! The Cap'n Proto header against golden bytes, itself, messages built by hand, and hostile ones.

use std::vec::Vec;

use super::*;
use crate::xcp::header::SchemaKey;
use crate::xcp::numbers::{CodecId, KindId, MsgType};

mod golden;

const SPEC: Numbering = Numbering::Spec;

fn written(header: &FrameHeader) -> Vec<u8> {
    let mut out = [0xAA; MAX_LEN];
    let len = write(header, SPEC, &mut out).unwrap();
    out[..len].to_vec()
}

fn packed(header: &FrameHeader) -> Vec<u8> {
    let mut out = [0xAA; MAX_LEN];
    let len = write_packed(header, SPEC, &mut out).unwrap();
    out[..len].to_vec()
}
