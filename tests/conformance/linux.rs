//! The suite on this Linux system.

use strait_core::name::Name;
use strait_platform_linux::Linux;
use strait_tests::objects;

use crate::process::Real;
use crate::system::System;

impl System for Linux {
    type Platform = Self;
    type Process = Real;

    fn start() -> Self {
        Self
    }

    fn platform(&self) -> Self {
        *self
    }

    fn spawn(&self) -> Real {
        Real::start()
    }

    fn listed(&self, name: &Name) -> Vec<String> {
        objects::left(name.as_str()).iter().map(|path| path.display().to_string()).collect()
    }
}

conformance! { strait_platform_linux::Linux }
