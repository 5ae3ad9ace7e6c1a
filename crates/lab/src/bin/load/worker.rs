//! One thread: its connections, its executors, and when each request is due.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::answer::Answer;
use crate::connection::{Connection, Lost};
use crate::figures::Figures;
use crate::fleet::{Fleet, Sync};
use crate::requests::Requests;

/// A target that did not answer a connection is tried again after so long, if there is another one meanwhile.
const SHUNNED: Duration = Duration::from_millis(500);
/// And so long after, if there is none.
const REST: Duration = Duration::from_millis(20);

/// At a constant rate nothing is looked at more often: whoever wakes for every single answer takes the processor from the
/// one that is measured, on a virtual machine up to 40 µs each time. An answer may seem so much later than it came.
const TICK: Duration = Duration::from_millis(1);

/// There is no room for a request now.
const BUSY: u16 = 503;

/// When it begins and ends, and how much at once.
pub struct Bounds {
    pub started: Instant,
    pub lasts: Option<Duration>,
    pub requests: Option<u64>,
    pub connections: usize,
    /// Requests a second.
    pub rate: Option<f64>,
    pub patience: Duration,
}

/// A place for a connection, which outlives the connection in it.
struct Place {
    connection: Option<Connection>,
    /// What is to be answered.
    pending: Option<Pending>,
    /// Where it is at home.
    home: usize,
    /// Nobody could be reached; not before then again.
    rests_until: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Pending {
    sync: Sync,
    /// When it was due.
    since: Instant,
    /// When it was first sent.
    sent: Instant,
    bad_answers: usize,
}

/// One thread of the load.
pub struct Worker {
    requests: Arc<Requests>,
    targets: Vec<SocketAddr>,
    shunned_until: Vec<Instant>,
    fleet: Fleet,
    bounds: Bounds,
    epoll: Epoll,
    places: Vec<Place>,
    /// Those without a request, the one that has rested longest first: so every connection is used.
    free: VecDeque<usize>,
    /// Those that wait for a target.
    resting: usize,
    request: Vec<u8>,
    begun: u64,
    figures: Figures,
}

impl Worker {
    pub fn new(
        requests: Arc<Requests>,
        targets: Vec<SocketAddr>,
        fleet: Fleet,
        bounds: Bounds,
    ) -> Result<Self> {
        let home = |place| place % targets.len();
        let place = |place| Place { connection: None, pending: None, home: home(place), rests_until: None };
        Ok(Self {
            requests,
            shunned_until: vec![bounds.started; targets.len()],
            places: (0..bounds.connections).map(place).collect(),
            free: (0..bounds.connections).collect(),
            targets,
            fleet,
            bounds,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            resting: 0,
            request: Vec::with_capacity(2_048),
            begun: 0,
            figures: Figures::new(),
        })
    }

    /// As those of a fleet are, long before anybody looks.
    pub fn with_open_connections(mut self) -> Self {
        for place in 0..self.places.len() {
            self.connect(place, Instant::now());
        }
        self
    }

    /// From now until the bound is reached and everything that was sent is answered.
    pub fn run(mut self) -> Result<(Figures, Fleet)> {
        self.bounds.started = Instant::now();
        let mut events = vec![EpollEvent::empty(); self.bounds.connections];
        let mut now = self.bounds.started;
        let mut looked_at = now;
        loop {
            let next_due = self.begin_what_is_due(now);
            if self.free.len() == self.places.len() && next_due.is_none() {
                self.figures.unsent += self.due(now).saturating_sub(self.begun);
                return Ok((self.figures, self.fleet));
            }
            let came = self.wait(&mut events, now, next_due)?;
            now = Instant::now();
            for event in &events[..came] {
                let place = usize::try_from(event.data())?;
                self.hear(place, now);
                // Several answers lie there at once when there is much to do; each is as late as it is read.
                now = Instant::now();
            }
            if self.resting > 0 || now > looked_at + Duration::from_millis(100) {
                looked_at = now;
                self.look_after_the_late(now);
            }
        }
    }

    /// Begins what may be begun; when the next one is due, if anything still is.
    fn begin_what_is_due(&mut self, now: Instant) -> Option<Instant> {
        loop {
            if self.bounds.requests.is_some_and(|most| self.begun >= most) {
                return None;
            }
            let due = self.due_at(self.begun, now);
            if self.stop().is_some_and(|stop| due >= stop || now >= stop) {
                return None;
            }
            if due > now {
                return Some(due);
            }
            let Some(place) = self.free.pop_front() else { return Some(due) };
            self.begun += 1;
            let sync = self.fleet.next();
            self.places[place].pending = Some(Pending { sync, since: due, sent: now, bad_answers: 0 });
            self.send(place, now);
        }
    }

    fn stop(&self) -> Option<Instant> {
        self.bounds.lasts.map(|lasts| self.bounds.started + lasts)
    }

    #[expect(clippy::cast_precision_loss, reason = "no run has so many requests")]
    fn due_at(&self, number: u64, now: Instant) -> Instant {
        match self.bounds.rate {
            Some(rate) => self.bounds.started + Duration::from_secs_f64(number as f64 / rate),
            None => now,
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, rounded down")]
    fn due(&self, now: Instant) -> u64 {
        let end = self.stop().map_or(now, |stop| stop.min(now));
        let all = self.bounds.rate.map_or(0.0, |rate| rate * (end - self.bounds.started).as_secs_f64());
        self.bounds.requests.map_or(all as u64, |most| most.min(all as u64))
    }

    fn wait(&self, events: &mut [EpollEvent], now: Instant, next_due: Option<Instant>) -> Result<usize> {
        // Whoever has no free connection waits for an answer only.
        let timer = next_due.filter(|_| self.bounds.rate.is_some() && !self.free.is_empty());
        let Some(due) = timer else {
            let ms = if self.resting > 0 { 5_u16 } else { 100 };
            return interruptible(self.epoll.wait(events, EpollTimeout::from(ms)));
        };
        let came = interruptible(self.epoll.wait(events, EpollTimeout::ZERO))?;
        if came > 0 {
            return Ok(came);
        }
        std::thread::sleep((due - now).clamp(TICK, Duration::from_millis(100)));
        interruptible(self.epoll.wait(events, EpollTimeout::ZERO))
    }

    fn send(&mut self, place: usize, now: Instant) {
        let Some(Pending { sync, .. }) = self.places[place].pending else { return };
        self.requests.write(sync, &mut self.request);
        loop {
            if self.places[place].connection.is_none() && !self.connect(place, now) {
                return self.rest(place, now);
            }
            let Some(connection) = &mut self.places[place].connection else { return };
            match connection.send(&self.request) {
                Ok(()) => return,
                Err(Lost) => self.lose(place, now),
            }
        }
    }

    fn rest(&mut self, place: usize, now: Instant) {
        self.places[place].rests_until = Some(now + REST);
        self.resting += 1;
    }

    /// To where it is at home if that answers, else to any other.
    fn connect(&mut self, place: usize, now: Instant) -> bool {
        let home = self.places[place].home;
        let count = self.targets.len();
        for target in (home..home + count).map(|target| target % count) {
            if count > 1 && now < self.shunned_until[target] {
                continue;
            }
            let Ok(connection) = Connection::open(target, self.targets[target]) else {
                self.shunned_until[target] = now + SHUNNED;
                continue;
            };
            let event = EpollEvent::new(EpollFlags::EPOLLIN, place as u64);
            if self.epoll.add(&connection.stream, event).is_err() {
                continue;
            }
            self.figures.connected += 1;
            self.places[place].connection = Some(connection);
            return true;
        }
        false
    }

    /// The connection broke under a request.
    fn lose(&mut self, place: usize, now: Instant) {
        self.figures.lost_on_the_wire += 1;
        if let Some(lost) = self.places[place].connection.take() {
            self.shunned_until[lost.target] = now + REST;
        }
    }

    fn hear(&mut self, place: usize, now: Instant) {
        let Place { connection, pending, .. } = &mut self.places[place];
        // Where nothing was asked, it can only be the end of the connection.
        let Some(pending) = *pending else { return *connection = None };
        let Some(connection) = connection else { return };
        match connection.hear(self.figures.requests) {
            Ok(Answer::Unfinished) => {}
            Ok(Answer::Good { is_last }) => {
                if is_last {
                    self.places[place].connection = None;
                }
                self.figures.answered(pending.since, now, self.bounds.started);
                self.fleet.answered(pending.sync);
                self.end(place);
            }
            Ok(Answer::Bad { status: BUSY }) if now < pending.sent + self.bounds.patience => {
                self.figures.shed += 1;
                self.places[place].connection = None;
                self.places[place].home += 1;
                self.rest(place, now);
            }
            Ok(Answer::Bad { status }) => {
                self.figures.bad_answers += 1;
                self.figures.last_bad_status = status;
                self.places[place].connection = None;
                let bad_answers = pending.bad_answers + 1;
                if bad_answers >= self.targets.len() {
                    self.give_up(place, pending);
                } else {
                    self.places[place].pending = Some(Pending { bad_answers, ..pending });
                    self.places[place].home += 1;
                    self.send(place, now);
                }
            }
            Err(Lost) => {
                self.lose(place, now);
                self.again(place, pending, now);
            }
        }
    }

    fn again(&mut self, place: usize, pending: Pending, now: Instant) {
        if now > pending.sent + self.bounds.patience {
            self.give_up(place, pending);
        } else {
            self.send(place, now);
        }
    }

    fn give_up(&mut self, place: usize, pending: Pending) {
        self.figures.errors += 1;
        self.fleet.given_up(pending.sync);
        self.end(place);
    }

    fn end(&mut self, place: usize) {
        self.places[place].pending = None;
        self.free.push_back(place);
    }

    /// Those that could reach nobody try again, and those that wait for an answer for too long wait no longer.
    fn look_after_the_late(&mut self, now: Instant) {
        for place in 0..self.places.len() {
            let Some(pending) = self.places[place].pending else { continue };
            if let Some(until) = self.places[place].rests_until {
                if now >= until {
                    self.places[place].rests_until = None;
                    self.resting -= 1;
                    self.again(place, pending, now);
                }
            } else if now > pending.sent + self.bounds.patience {
                self.lose(place, now);
                self.give_up(place, pending);
            }
        }
    }
}

fn interruptible<T: From<u8>>(result: nix::Result<T>) -> Result<T> {
    match result {
        Err(nix::Error::EINTR) => Ok(T::from(0)),
        other => Ok(other?),
    }
}
