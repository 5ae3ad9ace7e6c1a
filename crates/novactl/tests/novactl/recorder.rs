//! A control plane that answers as it is told and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET /api/v1/releases?kind=agent`
    pub line: String,
    pub authorization: String,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The text of one field of a form.
    pub fn field(&self, name: &str) -> String {
        let boundary = self.content_type.split_once("boundary=").unwrap().1;
        let body = String::from_utf8_lossy(&self.body).into_owned();
        let marker = format!("form-data; name=\"{name}\"");
        let part = body.split(&format!("--{boundary}")).find(|part| part.contains(&marker)).unwrap();
        part.split_once("\r\n\r\n").unwrap().1.strip_suffix("\r\n").unwrap().to_owned()
    }
}

/// What is answered: a status and a body.
pub type Reply = (u16, String);

/// Ends when dropped.
pub struct Recorder {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    worker: Option<JoinHandle<()>>,
}

impl Recorder {
    /// `answer` is given each request in turn.
    pub fn start(mut answer: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let worker = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { return };
                seen.lock().unwrap().push(request.clone());
                let (status, body) = answer(&request);
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nLocation: https://elsewhere.example/\r\n\
                     Connection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).unwrap();
            }
        });
        Self { address, asked, worker: Some(worker) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The request lines alone.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // A connection without a request ends the worker.
        drop(TcpStream::connect(self.address));
        if let Some(worker) = self.worker.take()
            && worker.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the recorder has met what it does not expect");
        }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let line = line.strip_suffix(" HTTP/1.1\r\n")?.to_owned();
    let mut asked =
        Asked { line, authorization: String::new(), content_type: String::new(), body: Vec::new() };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.clone_into(&mut asked.authorization),
            "content-type" => value.clone_into(&mut asked.content_type),
            "content-length" => length = value.parse().unwrap(),
            "transfer-encoding" => panic!("a body must say its length"),
            "expect" => {
                let mut stream = stream;
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
            }
            _ => {}
        }
    }
    // Only what a test looks at is kept of a huge body.
    reader.by_ref().take(length).take(1 << 20).read_to_end(&mut asked.body).unwrap();
    let rest = length - asked.body.len() as u64;
    assert_eq!(std::io::copy(&mut reader.take(rest), &mut std::io::sink()).unwrap(), rest);
    Some(asked)
}
