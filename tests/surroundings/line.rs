//! The line between an agent and a server, which breaks off or drips as a test wants.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What becomes of the answer on one connection.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It breaks off after this many bytes, in the orderly way.
    Cut(usize),
    /// It is reset after this many bytes.
    Reset(usize),
    /// After this many bytes, a byte comes now and then.
    Drip(usize, Duration),
    /// After this many bytes, none comes any more.
    Stall(usize),
    /// The server is never asked; this is the status and the headers of the answer.
    Answer(&'static str),
}

/// Forwards connections to a server; ends when dropped.
pub struct Line {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    server: u16,
    fates: Mutex<VecDeque<Fate>>,
    carried: AtomicUsize,
    closed: AtomicBool,
}

impl Line {
    /// To this port; connections meet these fates one after the other, and then none any more.
    pub fn to(server: u16, fates: &[Fate]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server,
            fates: Mutex::new(fates.iter().copied().collect()),
            carried: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        let carrying = Arc::clone(&shared);
        let listening = thread::spawn(move || {
            for agent in listener.incoming().flatten() {
                if carrying.closed.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&carrying);
                // Whichever side hangs up: the other hears of it, and that is all there is to it.
                thread::spawn(move || shared.carry(&agent));
            }
        });
        Self { port, shared, listening: Some(listening) }
    }

    /// To whatever listens at this URL of loopback.
    pub fn to_url(url: &str, fates: &[Fate]) -> Self {
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
        Self::to(port.unwrap_or_else(|| panic!("a URL ends with a port: {url}")), fates)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next connection meets this fate.
    pub fn meet(&self, fate: Fate) {
        self.shared.fates.lock().unwrap().push_back(fate);
    }

    /// Bytes of answers that were brought to the agent.
    pub fn carried(&self) -> usize {
        self.shared.carried.load(Ordering::SeqCst)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // A connection of our own wakes the listener up; without one it would listen on.
        if TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && let Some(listening) = self.listening.take()
        {
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn carry(&self, agent: &TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", self.server))?;
        let fate = self.fates.lock().unwrap().pop_front();
        match fate {
            Some(Fate::Reset(_)) => self.carry_and_reset(agent, &server, fate),
            Some(Fate::Answer(head)) => answer(agent, head),
            _ => thread::scope(|scope| {
                scope.spawn(|| {
                    let _ = io::copy(&mut &*agent, &mut &server);
                    let _ = server.shutdown(Shutdown::Both);
                });
                let carried = self.bring(&server, agent, fate);
                let _ = agent.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
                carried
            }),
        }
    }

    /// Who closes a connection with bytes of the other side unread resets it.
    fn carry_and_reset(
        &self,
        agent: &TcpStream,
        mut server: &TcpStream,
        fate: Option<Fate>,
    ) -> io::Result<()> {
        let request = peek_request(agent)?;
        server.write_all(&request)?;
        self.bring(server, agent, fate)
    }

    fn bring(&self, mut server: &TcpStream, mut agent: &TcpStream, fate: Option<Fate>) -> io::Result<()> {
        let (mut chunk, mut brought) = (vec![0; 16 * 1024], 0);
        let whole = match fate {
            None | Some(Fate::Answer(_)) => usize::MAX,
            Some(Fate::Cut(whole) | Fate::Reset(whole) | Fate::Drip(whole, _) | Fate::Stall(whole)) => whole,
        };
        while brought < whole {
            let due = chunk.len().min(whole - brought);
            let read = server.read(&mut chunk[..due])?;
            if read == 0 {
                return Ok(());
            }
            agent.write_all(&chunk[..read])?;
            brought += read;
            self.carried.fetch_add(read, Ordering::SeqCst);
        }
        match fate {
            Some(Fate::Drip(_, pace)) => self.drip(server, agent, pace),
            Some(Fate::Stall(_)) => {
                // Until the agent hangs up, which is what the other direction waits for.
                loop {
                    if self.closed.load(Ordering::SeqCst) || hung_up(agent, Duration::from_millis(100)) {
                        return Ok(());
                    }
                }
            }
            _ => Ok(()),
        }
    }

    fn drip(&self, mut server: &TcpStream, mut agent: &TcpStream, pace: Duration) -> io::Result<()> {
        let mut byte = [0];
        while !self.closed.load(Ordering::SeqCst) && server.read(&mut byte)? == 1 {
            agent.write_all(&byte)?;
            self.carried.fetch_add(1, Ordering::SeqCst);
            if hung_up(agent, pace) {
                break;
            }
        }
        Ok(())
    }
}

/// A whole request, left unread.
fn peek_request(agent: &TcpStream) -> io::Result<Vec<u8>> {
    let mut request = vec![0; 64 * 1024];
    loop {
        let seen = agent.peek(&mut request)?;
        let text = String::from_utf8_lossy(&request[..seen]).to_ascii_lowercase();
        let length = text.split_once("\r\n\r\n").map(|(head, _)| {
            let stated =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            head.len() + 4 + stated.unwrap_or(0)
        });
        if seen == 0 || length.is_some_and(|length| seen >= length) {
            request.truncate(seen);
            return Ok(request);
        }
        thread::yield_now();
    }
}

fn answer(mut agent: &TcpStream, head: &str) -> io::Result<()> {
    let length = peek_request(agent)?.len();
    agent.read_exact(&mut vec![0; length])?;
    agent.write_all(format!("HTTP/1.1 {head}connection: close\r\ncontent-length: 0\r\n\r\n").as_bytes())
}

/// The agent has closed the connection within this time; it has nothing more to say on it.
fn hung_up(agent: &TcpStream, within: Duration) -> bool {
    agent.set_read_timeout(Some(within)).unwrap();
    matches!(agent.peek(&mut [0]), Ok(0))
}
