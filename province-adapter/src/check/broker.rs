//! May it do at the broker what it has to do? Each right is tried: looking, fetching, reporting. Nothing is taken,
//! and nothing stays there.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, AckKind};
use events::subjects;
use futures::StreamExt as _;

use super::{Line, advised, chain, line, warning};
use crate::config::Config;
use crate::connection;

/// For each answer of the broker.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Older ones lack what the hub relies on.
const VERSION_MIN: (u32, u32) = (2, 9);
/// A stream that has so many messages does not exist: what is published under this condition is never stored.
const NEVER: u64 = 9_000_000_000_000_000;
const REACHED: &str = "消息服务器 the broker";
const CONSUMER: &str = "本省消费者 this province's consumer";
const FETCH: &str = "收件权限 may it fetch";
const REPORT: &str = "报告权限 may it report";
const ENROL: &str = "请部里确认本省已接入、连接公钥已登记，并已重载消息服务器配置 ask the ministry whether this province is enrolled with this connection key (`hub province list`), and the broker reloaded";

pub(super) async fn check(config: &Config) -> Vec<Line> {
    let connected = match connection::options(&config.broker, config.province) {
        Ok(options) => {
            let options = options.connection_timeout(ANSWER_WITHIN);
            options.connect(config.broker.urls.clone()).await.map_err(|it| chain(&it))
        }
        Err(error) => Err(chain(&error)),
    };
    let client = match connected {
        Ok(client) => client,
        Err(error) => return unreached(config, error),
    };
    let version = client.server_info().version;
    let mut lines = vec![if is_old(&version) {
        warning(
            REACHED,
            format!("nats-server {version}"),
            "请部里升级到 2.9 或更新 ask the ministry for 2.9 or newer",
        )
    } else {
        line(REACHED, Ok(format!("nats-server {version}")))
    }];
    let (waiting, fetched) = fetch(config, &client).await;
    lines.push(advised(CONSUMER, waiting, ENROL));
    lines.push(advised(FETCH, fetched, ENROL));
    lines.push(advised(REPORT, report(config, &client).await, ENROL));
    lines
}

fn unreached(config: &Config, error: String) -> Vec<Line> {
    let urls = config.broker.urls.join(", ");
    let advice = format!(
        "检查地址 {urls}、防火墙和网络专线；若提示授权失败，多为连接密钥未登记；若提示证书或 TLS，核对 broker.ca_file 与部里公布的是否一致 look at the address, the firewall and the line; \
         an authorization violation mostly means that the connection key is not registered; \
         trouble with TLS or a certificate: compare broker.ca_file with what the ministry published"
    );
    let unknown = || Err("unknown, the broker was not reached".to_owned());
    let reached = advised(REACHED, Err(error), &advice);
    vec![reached, line(CONSUMER, unknown()), line(FETCH, unknown()), line(REPORT, unknown())]
}

/// What cannot be read is a version that is newer than this text.
fn is_old(version: &str) -> bool {
    let mut parts = version.split('.').map_while(|it| it.parse::<u32>().ok());
    matches!((parts.next(), parts.next()), (Some(major), Some(minor)) if (major, minor) < VERSION_MIN)
}

/// Looks at the consumer, and fetches once. Whatever comes is given back at once.
async fn fetch(
    config: &Config,
    client: &Client,
) -> (Result<String, String>, Result<String, String>) {
    let consumer = match connection::find_consumer(config.province, client).await {
        Ok(consumer) => consumer,
        Err(error) => {
            let unknown = "unknown, the consumer was not seen".to_owned();
            return (Err(chain(&error)), Err(unknown));
        }
    };
    let info = consumer.cached_info();
    let waiting = format!(
        "`{}`, {} waiting, {} not acknowledged",
        info.name, info.num_pending, info.num_ack_pending
    );
    let fetching = async {
        let mut messages =
            consumer.fetch().max_messages(1).messages().await.map_err(|it| chain(&it))?;
        match messages.next().await {
            None => Ok("yes, nothing waits".to_owned()),
            Some(Ok(message)) => {
                let given_back = message.ack_with(AckKind::Nak(None)).await;
                given_back.map(|()| "yes, work waits".to_owned()).map_err(|it| it.to_string())
            }
            Some(Err(error)) => Err(error.to_string()),
        }
    };
    let fetched = tokio::time::timeout(ANSWER_WITHIN, fetching).await;
    (Ok(waiting), fetched.unwrap_or_else(|_| Err("no answer: probably forbidden".to_owned())))
}

/// Publishes under a condition that never holds: a broker that says so would have taken a report.
async fn report(config: &Config, client: &Client) -> Result<String, String> {
    let mut context = jetstream::new(client.clone());
    context.set_timeout(ANSWER_WITHIN);
    let subject = subjects::report(config.province, "delivered");
    let probe = PublishMessage::build().expected_last_sequence(NEVER);
    let published = context.send_publish(subject, probe).await;
    let answered = match published {
        Ok(answer) => answer.await.map(drop),
        Err(error) => Err(error),
    };
    match answered {
        Ok(()) => Err("the broker kept the probe, which it never should".to_owned()),
        Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok("yes".to_owned()),
        Err(error) => Err(format!("{}; probably forbidden", chain(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::is_old;

    #[test]
    fn a_broker_before_2_9_is_old() {
        for (version, old) in [("2.8.4", true), ("2.9.10", false), ("2.15.1", false), ("3", false)]
        {
            assert_eq!(is_old(version), old, "{version}");
        }
    }
}
