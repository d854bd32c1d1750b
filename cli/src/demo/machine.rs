//! On which machine the numbers were measured.

use serde::Serialize;

/// What the reader of the numbers should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    /// The processor's name, or its architecture.
    pub(crate) processor: String,
    /// Cores that this process may use.
    pub(crate) cores: usize,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = model(&cpuinfo).unwrap_or(std::env::consts::ARCH).to_owned();
        Self { processor, cores: std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

/// The first processor's name; only some architectures have one there.
fn model(cpuinfo: &str) -> Option<&str> {
    let fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let mut names = fields.filter(|(key, _)| matches!(key.trim(), "model name" | "Model" | "cpu model"));
    names.next().map(|(_, name)| name.trim()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_where_there_is_one() {
        let x86 = "processor\t: 0\nmodel\t\t: 207\nmodel name\t: Some: CPU @ 2 GHz\nmodel name\t: Other\n";
        assert_eq!(model(x86), Some("Some: CPU @ 2 GHz"));
        assert_eq!(model("processor : 0\nBogoMIPS : 48.00\n"), None);
        assert_eq!(model(""), None);
    }
}
