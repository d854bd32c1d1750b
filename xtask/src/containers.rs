//! Ends in containers: with process numbers, a `/tmp` and a time of their own, they see each other's deaths, and nobody
//! takes what a living one has.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use crate::packages;
use crate::shell::{self, Failure, cargo, program, target};

/// Longest wait of the tool, in milliseconds: a check that hangs says so.
const LONG: &str = "60000";

/// Namespaces of its own that a process gets, as a container has them.
#[derive(Clone, Copy, Debug)]
enum Room {
    /// None.
    Host,
    /// Its number is 1.
    Numbers,
    /// Its number is 1, and its `/tmp` is empty.
    NumbersAndTmp,
    /// It counts from another boot.
    Time,
}

/// Builds the tool and runs every scenario.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("containers takes no argument, got {unknown:?}")));
    }
    packages::ensure(&["util-linux"])?;
    shell::run(cargo().args(["build", "--release", "--package", "strait-cli"]))?;
    let tool = Tool { strait: target().join("release").join("strait") };
    let scenarios: [(&str, Scenario); 5] = [
        ("a killed writer's reader is told, and the next writer taken", a_killed_writer),
        ("a killed reader's buffer is dead to ls, and removed by gc", a_killed_reader),
        ("a reader whose locks cannot be seen keeps its buffer", a_reader_with_its_own_tmp),
        ("a link's participant of another time takes part", a_participant_of_another_time),
        ("a link's killed participant is gone, and so is the link", a_killed_participant),
    ];
    for (number, (what, scenario)) in scenarios.into_iter().enumerate() {
        let name = format!("strait-containers-{}-{number}", std::process::id());
        let outcome = scenario(&tool, &name);
        // What a failure has left, and nothing after a success.
        let left = tool.run(Room::Host, &["gc", &name]);
        outcome.map_err(|failure| Failure::new(format!("{what}: {failure}")))?;
        let left = text(&left?.stdout);
        if left != "0 bytes freed\n" {
            return Err(Failure::new(format!("{what}: something was left: {left}")));
        }
        println!("  {what}");
    }
    Ok(())
}

type Scenario = fn(&Tool, &str) -> Result<(), Failure>;

fn a_killed_writer(tool: &Tool, name: &str) -> Result<(), Failure> {
    let mut reader = tool.reader(Room::Numbers, name, &["-n", "1000000", "--out", "-"])?;
    let endless = ["writer", name, "-n", "0", "-s", "8", "--delay-ms", "1", "--wait-ms", LONG];
    let mut writer = tool.start(Room::Numbers, &endless)?;
    reader.receives(8)?;
    writer.kill();
    reader.says("died (pid 1)")?;
    let next = ["writer", name, "-n", "3", "-s", "8", "--wait-ms", LONG];
    expect(&tool.run(Room::Numbers, &next)?, 0, "")?;
    reader.ends(3)
}

fn a_killed_reader(tool: &Tool, name: &str) -> Result<(), Failure> {
    let mut reader = tool.reader(Room::Numbers, name, &[])?;
    expect(&tool.run(Room::Host, &["ls"])?, 0, "live")?;
    reader.kill();
    for room in [Room::Numbers, Room::Host] {
        let listed = text(&tool.run(room, &["ls"])?.stdout);
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        if !line.contains("dead") {
            return Err(Failure::new(format!("in {room:?} ls says {line:?}")));
        }
    }
    expect(&tool.run(Room::Host, &["gc", name])?, 0, &format!("removed {name}"))
}

fn a_reader_with_its_own_tmp(tool: &Tool, name: &str) -> Result<(), Failure> {
    let mut reader = tool.reader(Room::NumbersAndTmp, name, &["-n", "3"])?;
    for room in [Room::Host, Room::Numbers, Room::NumbersAndTmp] {
        let listed = text(&tool.run(room, &["ls"])?.stdout);
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        if !line.contains("live") {
            return Err(Failure::new(format!("in {room:?} ls says {line:?}")));
        }
        expect(&tool.run(room, &["gc", name])?, 0, &format!("kept {name}"))?;
        expect(&tool.run(room, &["reader", name, "--buffer-size", "65536"])?, 1, "already has a reader")?;
    }
    // Across namespaces the frames go through as ever.
    expect(&tool.run(Room::Host, &["writer", name, "-n", "3", "--wait-ms", LONG])?, 0, "")?;
    reader.ends(0)
}

fn a_participant_of_another_time(tool: &Tool, name: &str) -> Result<(), Failure> {
    let receive = ["link", "recv", name, "--create", "--slots", "16", "--slot-len", "64"];
    let mut receiver =
        tool.start(Room::Time, &[&receive[..], &["-n", "1", "--timeout-ms", LONG]].concat())?;
    tool.until(&["link", "inspect", name, "--json"], 0)?;
    for room in [Room::Host, Room::Numbers] {
        expect(&tool.run(room, &["gc", name])?, 0, &format!("kept {name}"))?;
    }
    expect(&tool.run(Room::Host, &["link", "send", name, "--message", "hello"])?, 0, "")?;
    receiver.ends(0)
}

fn a_killed_participant(tool: &Tool, name: &str) -> Result<(), Failure> {
    let receive =
        ["link", "recv", name, "--create", "--slots", "16", "--slot-len", "64", "--timeout-ms", LONG];
    let mut receiver = tool.start(Room::NumbersAndTmp, &receive)?;
    tool.until(&["link", "inspect", name, "--json"], 0)?;
    expect(&tool.run(Room::Numbers, &["gc", name])?, 0, &format!("kept {name}"))?;
    receiver.kill();
    expect(&tool.run(Room::Host, &["gc", name])?, 0, &format!("removed {name}"))
}

/// The tool that is tried.
struct Tool {
    strait: PathBuf,
}

impl Tool {
    /// The tool in a room. What ends the program around it kills it.
    fn command(&self, room: Room, args: &[&str]) -> Command {
        let numbers = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let mut command = match room {
            Room::Host => program(&self.strait.to_string_lossy()),
            _ => program("unshare"),
        };
        if !matches!(room, Room::Host)
            && shell::ask(program("id").arg("-u")).is_none_or(|id| id.trim() != "0")
        {
            command.args(["--user", "--map-root-user"]);
        }
        match room {
            Room::Host => &mut command,
            Room::Numbers => command.args(numbers).arg(&self.strait),
            // Opened first: it may lie in the /tmp that is covered.
            Room::NumbersAndTmp => command
                .args(numbers)
                .args(["sh", "-c"])
                .arg("exec 3<\"$0\" && mount -t tmpfs tmpfs /tmp && exec /proc/self/fd/3 \"$@\"")
                .arg(&self.strait),
            Room::Time => {
                command.args(["--time", "--boottime", "1000", "--fork", "--kill-child"]).arg(&self.strait)
            }
        };
        command.args(args).stdin(Stdio::null());
        command
    }

    fn run(&self, room: Room, args: &[&str]) -> Result<Output, Failure> {
        let mut command = self.command(room, args);
        command.output().map_err(|error| Failure::new(format!("{command:?}: {error}")))
    }

    fn start(&self, room: Room, args: &[&str]) -> Result<Inside, Failure> {
        let mut command = self.command(room, args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| Failure::new(format!("{command:?}: {error}")))?;
        let stderr = child.stderr.take().expect("standard error is piped: asked for above");
        Ok(Inside { child, stderr: BufReader::new(stderr), said: String::new() })
    }

    /// A reader that has created its buffer.
    fn reader(&self, room: Room, name: &str, options: &[&str]) -> Result<Inside, Failure> {
        let args = ["reader", name, "--buffer-size", "65536", "--timeout-ms", LONG, "--verbose"];
        let mut reader = self.start(room, &[&args, options].concat())?;
        reader.says("created")?;
        Ok(reader)
    }

    /// Asks again until the tool ends with `code`.
    fn until(&self, args: &[&str], code: i32) -> Result<(), Failure> {
        // Bounded: some milliseconds each.
        for _ in 0..10_000 {
            if self.run(Room::Host, args)?.status.code() == Some(code) {
                return Ok(());
            }
        }
        Err(Failure::new(format!("strait {} never ended with {code}", args.join(" "))))
    }
}

/// The tool in a room, killed when this goes.
struct Inside {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Inside {
    /// Waits for a line on standard error.
    fn says(&mut self, what: &str) -> Result<(), Failure> {
        loop {
            let mut line = String::new();
            match self.stderr.read_line(&mut line) {
                Ok(0) => return Err(Failure::new(format!("it ended without {what:?}: {}", self.said))),
                Ok(_) => self.said.push_str(&line),
                Err(error) => return Err(Failure::new(format!("standard error: {error}"))),
            }
            if line.contains(what) {
                return Ok(());
            }
        }
    }

    /// Waits for bytes on standard output.
    fn receives(&mut self, len: usize) -> Result<(), Failure> {
        let output = self.child.stdout.as_mut().expect("standard output is piped: asked for in `start`");
        output
            .read_exact(&mut vec![0; len])
            .map_err(|error| Failure::new(format!("standard output: {error}")))
    }

    /// Kills it, whole.
    fn kill(&mut self) {
        // It may have ended. The tool has the end of `unshare` for its own, and holds the pipe until it is dead.
        let _ = self.child.kill();
        let _ = self.stderr.read_to_string(&mut self.said);
        let _ = self.child.wait();
    }

    /// Waits for its end.
    fn ends(&mut self, code: i32) -> Result<(), Failure> {
        if let Some(output) = &mut self.child.stdout {
            let _ = output.read_to_end(&mut Vec::new());
        }
        let _ = self.stderr.read_to_string(&mut self.said);
        let status = self.child.wait().map_err(|error| Failure::new(format!("{error}")))?;
        if status.code() == Some(code) {
            return Ok(());
        }
        Err(Failure::new(format!("{status} in place of {code}: {}", self.said)))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The code and the words of an end.
fn expect(output: &Output, code: i32, words: &str) -> Result<(), Failure> {
    let said = text(&output.stdout) + &text(&output.stderr);
    if output.status.code() == Some(code) && said.contains(words) {
        return Ok(());
    }
    Err(Failure::new(format!("{} in place of {code} with {words:?}: {said}", output.status)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
