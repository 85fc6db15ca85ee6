//! The firmware's run on this machine: what every board must repeat.

#[path = "../generate.rs"]
mod generate;

use generate::{Observer, Session, generate};
use xielu::embedded::Static;

const MODEL: &[u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");

static SESSION: Static<Session> = Static::new(Session::without_text());

struct Print;

impl Observer for Print {
    fn step_begins(&mut self) {}
    fn token(&mut self, id: u32, piece: &str) {
        println!("{id} {piece}");
    }
}

fn main() -> Result<(), xielu::Error> {
    let session = SESSION.take().expect("nothing else takes it");
    let (_, text) = generate(session, &mut Print)?;
    println!("text: {text}");
    Ok(())
}
