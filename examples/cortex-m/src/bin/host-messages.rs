//! The errors of `messages.rs`, as this machine prints them.

#[path = "../messages.rs"]
mod messages;

fn main() {
    messages::each(|error| println!("{error}"));
}
