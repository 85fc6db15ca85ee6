//! The prompt on this machine: what every board must answer. `host-prompt micro` has the smaller model.

use std::io::{Read as _, Write as _, stdin, stdout};
use std::time::Instant;

use xielu::embedded::{Console, Program, Session, Static, Terminal};

struct Bundled;
impl Program for Bundled {
    const MODEL: &'static [u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");
}
static SESSION: Static<Session<Bundled, 4, 64, 110_000>> = Static::new(Session::new());

struct Micro;
impl Program for Micro {
    const MODEL: &'static [u8] = include_bytes!("../../../../models/micro-Q8_0.gguf");
}
static MICRO: Static<Session<Micro, 4, 64, 41_100>> = Static::new(Session::new());

struct Standard(Instant);

impl Terminal for Standard {
    const HZ: u32 = 1_000_000;

    /// The end of the input is the end of the session.
    fn read(&mut self) -> u8 {
        let mut byte = [0];
        stdin().read_exact(&mut byte).map_or(4, |()| byte[0])
    }

    fn write(&mut self, bytes: &[u8]) {
        // Nobody reads it any more: the rest is not needed.
        let _ = stdout().write_all(bytes).and_then(|()| stdout().flush());
    }

    fn ticks(&mut self) -> u32 {
        self.0.elapsed().as_micros() as u32
    }

    fn ram(&mut self) -> usize {
        size_of_val(&SESSION)
    }
}

fn main() -> Result<(), xielu::Error> {
    const TAKEN: &str = "nothing else takes it";
    let mut session = match std::env::args().nth(1).as_deref() {
        Some("micro") => MICRO.take().expect(TAKEN).start()?,
        _ => SESSION.take().expect(TAKEN).start()?,
    };
    Console::<128>::new(40).run(&mut session, &mut Standard(Instant::now()));
    Ok(())
}
