//! A conversation with a model that has a chat template.

use xielu::chat::{ChatError, Conversation, Template};
use xielu::checkpoint::ModelView;

/// The template, and what was said.
pub struct Chat {
    template: Template,
    conversation: Conversation,
    /// The answer that is being written.
    answer: Option<String>,
}

impl Chat {
    /// With nothing said; `None` if the model has no chat template.
    ///
    /// # Errors
    /// If its template cannot be used.
    pub fn of_model(view: &ModelView<'_>) -> Result<Option<Self>, ChatError> {
        match Template::of_model(view, None) {
            Ok(template) => {
                Ok(Some(Chat { template, conversation: Conversation::new(), answer: None }))
            }
            Err(ChatError::NoTemplate) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins a new conversation, with a system message unless it is empty.
    pub fn begin(&mut self, system: &str) {
        self.conversation = Conversation::new();
        self.answer = None;
        if !system.is_empty() {
            self.conversation.push("system", system);
        }
    }

    /// The text that the model reads after this message of the user; the answer is to follow. What
    /// cannot be rendered is not kept.
    ///
    /// # Errors
    /// Those of the template.
    pub fn ask(&mut self, message: &str) -> Result<String, ChatError> {
        self.conversation.push("user", message);
        let text = self.template.render(&self.conversation);
        match text {
            Ok(_) => self.answer = Some(String::new()),
            Err(_) => self.withdraw(),
        }
        text
    }

    /// Takes the last message back.
    pub fn withdraw(&mut self) {
        self.conversation.messages.pop();
        self.answer = None;
    }

    /// More of the answer.
    pub fn hear(&mut self, text: &str) {
        if let Some(answer) = &mut self.answer {
            answer.push_str(text);
        }
    }

    /// Ends the answer, which is then part of the conversation; a question whose answer has not
    /// begun is taken back.
    pub fn end(&mut self) {
        match self.answer.take() {
            Some(answer) if answer.is_empty() => self.withdraw(),
            Some(answer) => self.conversation.push("assistant", &answer),
            None => {}
        }
    }
}
