//! One connection to one of the targets: a request goes out, an answer comes in, nothing of the next one before that.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::answer::{Answer, look};

/// A replica that is there answers a connection at once; one that is not shall not hold up the others for long.
const CONNECT: Duration = Duration::from_secs(1);

/// A connection that is open.
pub struct Connection {
    pub stream: TcpStream,
    /// Of the target.
    pub target: usize,
    came: Vec<u8>,
    length: usize,
}

/// It is not open any more.
#[derive(Debug)]
pub struct Lost;

impl Connection {
    pub fn open(target: usize, address: SocketAddr) -> Result<Self, Lost> {
        let stream = TcpStream::connect_timeout(&address, CONNECT).map_err(|_| Lost)?;
        stream.set_nodelay(true).map_err(|_| Lost)?;
        stream.set_nonblocking(true).map_err(|_| Lost)?;
        Ok(Self { stream, target, came: vec![0; 16 * 1024], length: 0 })
    }

    /// Sends a request. Nothing is on its way when it is called, so there is room for all of it.
    pub fn send(&mut self, request: &[u8]) -> Result<(), Lost> {
        self.length = 0;
        match self.stream.write(request) {
            Ok(sent) if sent == request.len() => Ok(()),
            _ => Err(Lost),
        }
    }

    /// Reads what has come.
    pub fn hear(&mut self, count: u64) -> Result<Answer, Lost> {
        match self.stream.read(&mut self.came[self.length..]) {
            Ok(0) => Err(Lost),
            Ok(more) => {
                self.length += more;
                match look(&self.came[..self.length], count) {
                    Answer::Unfinished if self.length == self.came.len() => Err(Lost),
                    answer => Ok(answer),
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(Answer::Unfinished)
            }
            Err(_) => Err(Lost),
        }
    }
}
