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
        let processor = processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        Self { processor, cores: std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

/// The processor's name, as the system tells it.
fn processor() -> Option<String> {
    if cfg!(windows) {
        // Family, model and maker: the system sets it for every process.
        return std::env::var("PROCESSOR_IDENTIFIER").ok().filter(|name| !name.is_empty());
    }
    model(&std::fs::read_to_string("/proc/cpuinfo").ok()?).map(str::to_owned)
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
