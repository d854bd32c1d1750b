//! The suite on this Windows system.

use strait_core::name::Name;
use strait_platform_windows::Windows;

use crate::process::Real;
use crate::system::System;

impl System for Windows {
    type Platform = Self;
    type Process = Real;

    fn start() -> Self {
        Self
    }

    fn platform(&self) -> Self {
        Self
    }

    fn spawn(&self) -> Real {
        Real::start()
    }

    /// Names of kernel objects cannot be listed: what opens is all that is asked.
    fn listed(&self, _name: &Name) -> Vec<String> {
        Vec::new()
    }
}

conformance! { strait_platform_windows::Windows }
