//! The program in a terminal of its own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};

/// Milliseconds without output after which nothing more is expected.
const PATIENCE: u16 = 60_000;
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };

pub struct Terminal {
    keys_and_screen: File,
    child: Child,
    /// What came and was not waited for yet.
    seen: String,
}

impl Terminal {
    /// Starts `program`; its errors are shown where `errors` says so.
    pub fn start(program: &Command, errors: bool) -> Terminal {
        let pty = openpty(Some(&SIZE), None).unwrap();
        let side = || Stdio::from(pty.slave.try_clone().unwrap());
        // util-linux's `setsid` makes the terminal the program's own, whose keys are signals, and
        // becomes the program.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(program.get_current_dir().unwrap());
        command.env("TERM", "xterm").stdin(side()).stdout(side());
        command.stderr(if errors { side() } else { Stdio::null() });
        let child = command.spawn().unwrap();
        Terminal { keys_and_screen: pty.master.into(), child, seen: String::new() }
    }

    pub fn type_keys(&mut self, keys: &str) {
        self.keys_and_screen.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until what was shown since the last wait contains `part`.
    pub fn wait_for(&mut self, part: &str) {
        self.wait_until(|seen| Some(seen.find(part)? + part.len()));
    }

    /// Waits until `end` finds in what was shown since the last wait what it looks for.
    pub fn wait_until(&mut self, end: impl Fn(&str) -> Option<usize>) {
        loop {
            if let Some(end) = end(&self.seen) {
                self.seen.drain(..end);
                return;
            }
            assert!(self.read(), "the program ended after {:?}", self.seen);
        }
    }

    /// Waits for the program's end: what it showed since the last wait, and its status.
    pub fn end(mut self) -> (String, ExitStatus) {
        while self.read() {}
        let status = self.child.wait().unwrap();
        (std::mem::take(&mut self.seen), status)
    }

    /// Reads what there is; false at the end.
    fn read(&mut self) -> bool {
        let mut ready = [PollFd::new(self.keys_and_screen.as_fd(), PollFlags::POLLIN)];
        let count = poll(&mut ready, PollTimeout::from(PATIENCE)).unwrap();
        assert!(count > 0, "nothing came after {:?}", self.seen);
        let mut bytes = [0; 4096];
        // A terminal whose program has ended cannot be read.
        let count = self.keys_and_screen.read(&mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }
}

impl Drop for Terminal {
    /// A program that waits for other keys than a failed test typed is ended.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
