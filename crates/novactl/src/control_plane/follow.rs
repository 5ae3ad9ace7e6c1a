//! Server-sent events: read line by line, and taken up again behind the last one where the connection was cut off.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use ureq::http::header;

use super::ControlPlane;
use crate::ending::{Ending, Failure};

/// A control plane that is gone for longer is not coming back by itself.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(1);
/// It says at least that it lives more often than that.
const SILENCE: Duration = Duration::from_secs(60);

impl ControlPlane {
    /// Hands out the name and the data of each event, until `take` wants no more of them or there are none.
    #[expect(clippy::disallowed_methods, reason = "it waits because that was asked for")]
    pub fn follow(
        &self,
        path: &str,
        mut take: impl FnMut(&str, &str) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut last: Option<String> = None;
        let mut lost_since: Option<Instant> = None;
        loop {
            match self.listen(path, last.clone()) {
                Ok(None) => return Ok(()),
                Ok(Some(lines)) => {
                    let mut event = (String::new(), String::new());
                    for line in lines.map_while(Result::ok) {
                        lost_since = None;
                        match line.split_once(": ") {
                            Some(("event", name)) => name.clone_into(&mut event.0),
                            Some(("id", id)) => last = Some(id.to_owned()),
                            Some(("data", data)) => event.1.push_str(data),
                            _ if line.is_empty() && !event.1.is_empty() => {
                                let (name, data) = std::mem::take(&mut event);
                                if !take(&name, &data)? {
                                    return Ok(());
                                }
                            }
                            _ => {}
                        }
                    }
                }
                Err(failure) if !failure.is_passing() => return Err(failure.into()),
                Err(failure) if lost_since.is_some_and(|since| since.elapsed() > PATIENCE) => {
                    return Err(failure.into());
                }
                Err(_) => {}
            }
            lost_since.get_or_insert_with(Instant::now);
            std::thread::sleep(PAUSE);
        }
    }

    /// `None`: there is nothing more to hear.
    fn listen(
        &self,
        path: &str,
        last: Option<String>,
    ) -> Result<Option<impl Iterator<Item = std::io::Result<String>> + use<>>, Failure> {
        let mut request = self
            .http
            .get(self.address(path))
            .header(header::AUTHORIZATION, self.bearer())
            .config()
            .timeout_recv_body(None)
            .timeout_per_read(Some(SILENCE))
            .build();
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.call().map_err(|e| self.unreachable(&e.to_string()))?;
        match response.status().as_u16() {
            200 => Ok(Some(BufReader::new(response.into_body().into_reader()).lines())),
            204 => Ok(None),
            _ => {
                let answer = self.read(Ok(response))?;
                answer.nothing(&format!("GET {path}"), self.url())?;
                Err(Failure::new(
                    Ending::Failed,
                    "answer_unreadable",
                    format!("{} answers GET {path} with something else than events", self.url()),
                ))
            }
        }
    }
}
