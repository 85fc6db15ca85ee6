//! A conversation: what is typed is put into the model's chat template, and the answer streamed.
//!
//! `cargo run --release --features session,chat,safetensors --example chat -- ./Apertus-8B-Instruct`
//!
//! A second argument is a file with a template, for models without one.

use std::error::Error;
use std::io::{Write as _, stdin, stdout};
use std::ops::ControlFlow;

use xielu::Session;
use xielu::chat::{Conversation, Template};
use xielu::llama::ChainOptions;
use xielu::session::{GenerateOptions, StopTexts, recommended_sampling};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let model = args.next().ok_or("which model?")?;
    let mut session = Session::open(model)?;
    let template = match args.next() {
        Some(file) => {
            Template::new(&std::fs::read_to_string(file)?)?.with_tokens_of(session.view())?
        }
        None => Template::of_model(session.view(), None)?,
    };

    // As the model's authors sample; an answer of at most 400 tokens.
    let mut sampling = ChainOptions::recommended(&recommended_sampling(session.view())?);
    sampling.sampler.seed = 1;
    let options = GenerateOptions { limit: Some(400), sampling, ..Default::default() };

    // Room for a long conversation, where the memory allows it.
    let context = session.default_context(4096).positions;
    session.reserve(context)?;

    let mut conversation = Conversation::new();
    conversation.push("system", "You answer in a few sentences.");
    for line in stdin().lines() {
        conversation.push("user", &line?);

        // The whole conversation as one text, of which only what is new is read.
        let ids = session.text_ids(&template.render(&conversation)?)?;
        session.read_whole(&ids, |_| ControlFlow::Continue(()))?;

        let mut answer = String::new();
        session.write_text(&options, StopTexts::default(), |text| {
            answer += text;
            print!("{text}");
            stdout().flush().map_or(ControlFlow::Break(()), ControlFlow::Continue)
        })?;
        println!();
        conversation.push("assistant", &answer);
    }
    Ok(())
}
