//! A document as it stands in its file. It is sent as it is: what it means is for the control plane to say.

use std::io::Read;

use crate::ending::{Ending, Failure};

/// The text, and what it is written in.
pub struct Document {
    /// As it stands in the file.
    pub text: Vec<u8>,
    /// For the header `Content-Type`.
    pub content_type: &'static str,
}

/// Reads a file, or stdin where it is called `-`.
pub fn read(file: &str) -> Result<Document, Failure> {
    let mut text = Vec::new();
    let read = match file {
        "-" => std::io::stdin().lock().read_to_end(&mut text).map(|_| ()),
        file => std::fs::read(file).map(|bytes| text = bytes),
    };
    read.map_err(|e| {
        let sentence = format!("the plan must be readable, {file} is not ({e}): give a file, or - for stdin");
        Failure::new(Ending::Failed, "document_unreadable", sentence)
    })?;
    // What is JSON is YAML too, but its mistakes are told better as JSON.
    let is_json = file.ends_with(".json")
        || !file.ends_with(".yaml") && !file.ends_with(".yml") && text.trim_ascii_start().starts_with(b"{");
    let content_type = if is_json { "application/json" } else { "application/yaml" };
    Ok(Document { text, content_type })
}
