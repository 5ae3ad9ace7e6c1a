//! What other control planes on the same database have changed, as the database tells it.

use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Socket};

use super::super::Sql;
use super::address::Address;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A line that is dead without a word is noticed by asking.
const ASK_EVERY: Duration = Duration::from_secs(10);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// From here on nothing is missed; before, anything may have been.
    Listening,
    /// The words of one message.
    Told(String),
}

/// Listens to the others until nobody wants to hear any more.
pub(in crate::store) async fn listen(address: Address, own: String, to: mpsc::UnboundedSender<News>) {
    let mut pause = FIRST_PAUSE;
    while !to.is_closed() {
        match listen_once(&address, (&own, &to), &mut pause).await {
            Ok(()) => return,
            Err(e) => tracing::warn!("what other control planes change is not heard for a moment: {e}"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn listen_once(
    address: &Address,
    to: (&str, &mpsc::UnboundedSender<News>),
    pause: &mut Duration,
) -> Sql<()> {
    if address.is_secret() {
        let (client, connection) = address.config().connect(address.tls()?).await?;
        hear(client, connection, to, pause).await
    } else {
        let (client, connection) = address.config().connect(NoTls).await?;
        hear(client, connection, to, pause).await
    }
}

async fn hear<T>(
    client: Client,
    mut connection: Connection<Socket, T>,
    (own, to): (&str, &mpsc::UnboundedSender<News>),
    pause: &mut Duration,
) -> Sql<()>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let begin = async {
        client.batch_execute("LISTEN novacula").await?;
        *pause = FIRST_PAUSE;
        let _ = to.send(News::Listening);
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            if tokio::time::timeout(ANSWERS_WITHIN, client.batch_execute("SELECT 1")).await.is_err() {
                return Err(super::super::Error::Lost("the database does not answer".to_owned()));
            }
        }
    };
    let carry = async {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(told) = message?
                && !told.payload().ends_with(own)
                && to.send(News::Told(told.payload().to_owned())).is_err()
            {
                return Ok(());
            }
        }
        Err(super::super::Error::Lost("the database has hung up".to_owned()))
    };
    tokio::select! {
        outcome = begin => outcome,
        outcome = carry => outcome,
        () = to.closed() => Ok(()),
    }
}
