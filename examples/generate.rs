//! Text in, text out.
//!
//! `cargo run --release --features session --example generate -- models/tiny-Q8_0.gguf 'The '`

use std::io::{Write as _, stdout};
use std::ops::ControlFlow;

use xielu::Session;
use xielu::session::{GenerateOptions, SessionError};

fn main() -> Result<(), SessionError> {
    let mut args = std::env::args().skip(1);
    let model = args.next().unwrap_or("models/tiny-Q8_0.gguf".into());
    let prompt = args.next().unwrap_or("The `Vec<T>` type is".into());
    let mut session = Session::open(model)?;
    print!("{prompt}");
    let options = GenerateOptions { limit: Some(60), ..Default::default() };
    session.generate(&prompt, &options, |text| {
        print!("{text}");
        stdout().flush().map_or(ControlFlow::Break(()), ControlFlow::Continue)
    })?;
    println!();
    Ok(())
}
