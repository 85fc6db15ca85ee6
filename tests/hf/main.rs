//! Hugging Face directories: in every layout, damaged, quantized; and the text that goes with them.

mod bad_input;
mod layouts;
#[cfg(feature = "tokenizer")]
mod model_card;
mod open_error;
mod places;
mod quantized;
#[cfg(feature = "tokenizer")]
mod tokenizers;
#[cfg(feature = "session")]
mod ways_in;
