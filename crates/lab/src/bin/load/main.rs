//! Many executors that sync: one program sends what a whole fleet would, as light on the processor as it can, and says in
//! JSON how soon it was answered. What it sends to a control plane it sends to any other server just so.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a part of a measurement: it looks at the clock, opens connections and speaks"
)]

mod answer;
mod command_line;
mod connection;
mod figures;
mod fleet;
mod requests;
mod worker;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser as _;

use command_line::Asked;
use figures::Figures;
use fleet::{Fleet, Sync};
use requests::Requests;
use worker::{Bounds, Worker};

fn main() -> ExitCode {
    match load(&Asked::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("load: {e:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether every request was answered well.
fn load(asked: &Asked) -> Result<bool> {
    asked.check()?;
    let requests = Arc::new(Requests::new(asked)?);
    if let Some(number) = asked.show {
        let mut request = Vec::new();
        requests.write(Sync { number, count: asked.said + 1, role: asked.roles().of(number) }, &mut request);
        std::io::stdout().write_all(&request)?;
        return Ok(true);
    }
    let threads = asked.threads;
    let all_are_open = Arc::new(Barrier::new(usize::try_from(threads)? + 1));
    let running: Vec<_> = (0..threads)
        .map(|number| {
            let (requests, targets) = (Arc::clone(&requests), asked.targets.clone());
            let part = |whole: u64| whole * (number + 1) / threads - whole * number / threads;
            let first = u64::from(asked.executors) * number / threads;
            let bounds = Bounds {
                started: Instant::now(),
                lasts: asked.seconds.map(Duration::from_secs_f64),
                requests: asked.requests.map(part),
                connections: usize::try_from(part(asked.connections))?,
                rate: asked.rate.map(|rate| rate / threads_as_float(threads)),
                patience: Duration::from_secs_f64(asked.patience),
            };
            let fleet = Fleet::new(
                u32::try_from(first)?,
                u32::try_from(part(asked.executors.into()))?,
                asked.said,
                asked.roles(),
            );
            let all_are_open = Arc::clone(&all_are_open);
            Ok(thread::spawn(move || {
                let worker = Worker::new(requests, targets, fleet, bounds).map(Worker::with_open_connections);
                all_are_open.wait();
                worker?.run()
            }))
        })
        .collect::<Result<_>>()?;
    all_are_open.wait();
    let started = Instant::now();
    let (mut all, mut fleets) = (Figures::new(), Vec::new());
    for thread in running {
        let (figures, fleet) = thread.join().map_err(|_| anyhow!("a thread of the load broke"))??;
        all.add(&figures);
        fleets.push(fleet);
    }
    if let Some(path) = &asked.acknowledged {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut file = BufWriter::new(file);
        for (number, acknowledged, sent) in fleets.iter().flat_map(Fleet::changes) {
            writeln!(file, "{number} {} {}", requests.value(acknowledged), requests.value(sent))?;
        }
        file.flush()?;
    }
    let said = fleets.iter().map(Fleet::said).max().unwrap_or(asked.said);
    println!("{:#}", all.json(started, said, asked)?);
    Ok(all.errors == 0)
}

/// There are never so many threads that a float could not count them.
fn threads_as_float(threads: u64) -> f64 {
    u32::try_from(threads).map_or(1.0, f64::from)
}
