//! The firmware's run on this machine: what every board must repeat.

#[path = "../generate.rs"]
mod generate;

fn main() -> Result<(), xielu::Error> {
    use generate::{Memory, NO_LAYERS, Observer, generate};

    static MODEL: &[u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");

    struct Print;
    impl Observer for Print {
        fn step_begins(&mut self) {}
        fn step_ends(&mut self, _generated: bool) {}
        fn token(&mut self, id: u32, piece: &str) {
            println!("{id} {piece}");
        }
    }

    let (mut layers, mut memory) = (NO_LAYERS, Memory::new());
    let (_, text) = generate(MODEL, &mut layers, &mut memory, &mut Print)?;
    println!("text: {text}");
    Ok(())
}
