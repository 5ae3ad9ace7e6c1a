//! An upload as a form: the text fields from memory, the artifact from its file, so that it is never held whole.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use indicatif::ProgressBar;

/// The body of one upload.
pub struct Form<'f> {
    boundary: String,
    before: Vec<u8>,
    file: &'f File,
    size: u64,
}

impl<'f> Form<'f> {
    /// A form whose last field is the file; `sha256` is that of its bytes.
    ///
    /// The boundary is made from the hash: a file cannot hold its own.
    pub fn new(file: &'f File, size: u64, sha256: &str) -> Self {
        Self { boundary: format!("novacula-{sha256}"), before: Vec::new(), file, size }
    }

    /// Adds a text field.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let part = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n",
            self.boundary
        );
        self.before.extend_from_slice(part.as_bytes());
        self
    }

    /// For the header `Content-Type`.
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The stream named `name`, its length, and a bar that moves with the file's bytes.
    pub fn stream(self, name: &str, bar: &ProgressBar) -> io::Result<(impl Read + use<'f>, u64)> {
        let mut before = self.before;
        before.extend_from_slice(
            format!(
                "--{}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n",
                self.boundary
            )
            .as_bytes(),
        );
        let after = format!("\r\n--{}--\r\n", self.boundary).into_bytes();
        let length = before.len() as u64 + self.size + after.len() as u64;
        let mut file = self.file;
        file.seek(SeekFrom::Start(0))?;
        let bytes = bar.wrap_read(file.take(self.size));
        Ok((Cursor::new(before).chain(bytes).chain(Cursor::new(after)), length))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_form_has_the_length_it_says_and_ends_with_its_boundary() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"bytes").unwrap();
        let form = Form::new(&file, 5, "00ff").text("notes", "two\nlines");
        assert_eq!(form.content_type(), "multipart/form-data; boundary=novacula-00ff");
        let (mut stream, length) = form.stream("artifact", &ProgressBar::hidden()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text.len() as u64, length);
        assert!(text.contains("name=\"notes\"\r\n\r\ntwo\nlines\r\n--novacula-00ff\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nbytes\r\n--novacula-00ff--\r\n"), "{text}");
    }
}
