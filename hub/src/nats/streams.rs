//! Streams and consumers, made when missing. Everything in them can be driven again from the log.
//!
//! `WORK` drops its oldest when it is full: one province that is away must never keep the hub from
//! reaching another, and what was dropped the router sends again until the province has signed for
//! it. For the same reason each province has a bound of its own on each of its subjects.
//! `REPORT_nn` refuses the newest when it is full: only that province feels it, and its adapter
//! keeps the report and tries again. It holds only what the hub has not yet acknowledged (work-queue
//! retention); kept for longer, reports long recorded would fill it and shut out an honest province.
//! That a work queue forgets message ids costs nothing: duplicates are found by the log.
//!
//! Not used, because an old server ignores them silently: several filters for one consumer, strict
//! creation, metadata, key-value creation.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{
    self, ConsumerErrorKind, DiscardPolicy, RetentionPolicy, StorageType,
};
use async_nats::jetstream::{Context, ErrorCode};
use events::ids::ProvinceCode;
use events::subjects;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::differences::{Difference, consumer_differences, merge, stream_differences};
use super::render::PROVINCE_MESSAGE_BYTES_MAX;

/// How much of everything. Each is a bound that the broker keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLimits {
    /// Size of `WORK`, in bytes.
    pub work_bytes_max: i64,
    /// Messages that `WORK` keeps on one subject, so for one province and kind.
    pub work_messages_a_subject_max: i64,
    /// How long `WORK` keeps a message: the broker is no second archive.
    pub work_age_max: Duration,
    /// Size of one province's report stream, in bytes.
    pub report_bytes_max: i64,
    /// Messages that one reader may hold without having acknowledged them.
    pub ack_pending_max: i64,
    /// After this long without an acknowledgement a message comes again.
    pub ack_wait: Duration,
    /// How long `ensure` waits for a JetStream that is still starting.
    pub ready_wait_max: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            work_bytes_max: 2 << 30,
            work_messages_a_subject_max: 50_000,
            work_age_max: Duration::from_secs(7 * 24 * 3_600),
            report_bytes_max: 64 << 20,
            ack_pending_max: 2_048,
            ack_wait: Duration::from_secs(30),
            ready_wait_max: Duration::from_secs(30),
        }
    }
}

impl StreamLimits {
    /// What the broker's store must have room for, in bytes.
    pub fn store_bytes(&self, provinces: usize) -> u64 {
        let reports = self.report_bytes_max.unsigned_abs() * provinces as u64;
        // A tenth more, for indexes and for what is being replaced.
        (self.work_bytes_max.unsigned_abs() + reports) / 10 * 11
    }
}

/// How long a message id is remembered; a courtesy of the broker, see `WORK` above.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// Pause between two looks at a JetStream that is not ready.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What `ensure` found and did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ensured {
    /// Streams and consumers that were missing.
    pub created: Vec<String>,
    /// Settings that are not as wanted but do no harm. They were logged.
    pub differences: Vec<Difference>,
}

/// Why the streams are not there.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// The stream could not be looked up.
    #[error("cannot look up stream {stream}")]
    Lookup {
        /// The stream.
        stream: String,
        #[source]
        source: async_nats::jetstream::context::GetStreamError,
    },
    /// The stream could not be made.
    #[error("cannot create stream {stream}")]
    Create {
        /// The stream.
        stream: String,
        #[source]
        source: async_nats::jetstream::context::CreateStreamError,
    },
    /// The consumer could not be looked up or made.
    #[error("cannot set up consumer {consumer} of stream {stream}")]
    Consumer {
        /// The stream.
        stream: String,
        /// The consumer.
        consumer: String,
        #[source]
        source: stream::ConsumerError,
    },
    /// One exists with settings that would lose or mix up messages. It is not touched.
    #[error(
        "{what} has {setting} {found_and_wanted}\n(an operator must remove it; the log will fill it again)"
    )]
    Harmful {
        /// `WORK`, or `WORK/p22` for a consumer.
        what: String,
        /// The setting.
        setting: &'static str,
        /// As it is, and as it should be.
        found_and_wanted: String,
    },
}

/// Makes what is missing and compares what is there; waits for a JetStream that is still starting.
/// Called again, at any time and as often as you like, it only looks.
pub async fn ensure(
    jetstream: &Context,
    provinces: &[ProvinceCode],
    limits: &StreamLimits,
) -> Result<Ensured, StreamsError> {
    let give_up_at = Instant::now() + limits.ready_wait_max;
    let mut ensured = Ensured::default();
    let mut streams = vec![(work(limits), Vec::new())];
    for it in provinces {
        streams[0].1.push(work_consumer(*it, limits));
        streams.push((report(*it, limits), vec![report_consumer(limits)]));
    }
    for (stream, consumers) in &streams {
        loop {
            match ensure_stream(jetstream, stream, consumers, &mut ensured).await {
                Ok(()) => break,
                Err(error) if not_ready(&error) && Instant::now() < give_up_at => {
                    warn!(%error, "JetStream is not ready; looking again");
                    sleep(RETRY_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
    tell(&ensured)?;
    Ok(ensured)
}

/// `WORK`: everything the hub sends.
pub fn work(limits: &StreamLimits) -> stream::Config {
    stream::Config {
        name: subjects::WORK_STREAM.to_owned(),
        subjects: vec![subjects::WORK_SUBJECTS.to_owned()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_bytes: limits.work_bytes_max,
        max_messages_per_subject: limits.work_messages_a_subject_max,
        max_age: limits.work_age_max,
        ..common()
    }
}

/// `REPORT_nn`: everything one province says.
pub fn report(province: ProvinceCode, limits: &StreamLimits) -> stream::Config {
    stream::Config {
        name: subjects::report_stream(province),
        subjects: vec![subjects::report_of(province)],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_bytes: limits.report_bytes_max,
        ..common()
    }
}

fn common() -> stream::Config {
    stream::Config {
        storage: StorageType::File,
        num_replicas: 1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: PROVINCE_MESSAGE_BYTES_MAX as i32,
        duplicate_window: DUPLICATE_WINDOW,
        deny_delete: true,
        deny_purge: true,
        ..Default::default()
    }
}

/// The only thing a province can read.
pub fn work_consumer(province: ProvinceCode, limits: &StreamLimits) -> pull::Config {
    let name = subjects::consumer(province);
    pull::Config { filter_subject: subjects::work_of(province), ..durable(name, limits) }
}

/// The hub's own reader on a report stream.
pub fn report_consumer(limits: &StreamLimits) -> pull::Config {
    durable(subjects::REPORT_CONSUMER.to_owned(), limits)
}

fn durable(name: String, limits: &StreamLimits) -> pull::Config {
    pull::Config {
        durable_name: Some(name),
        ack_policy: AckPolicy::Explicit,
        ack_wait: limits.ack_wait,
        max_ack_pending: limits.ack_pending_max,
        // For ever: the reader decides what is poison, not a counter of the broker.
        max_deliver: -1,
        ..Default::default()
    }
}

async fn ensure_stream(
    jetstream: &Context,
    wanted: &stream::Config,
    consumers: &[pull::Config],
    ensured: &mut Ensured,
) -> Result<(), StreamsError> {
    let name = &wanted.name;
    let found = match jetstream.get_stream(name).await {
        Ok(found) => found.cached_info().config.clone(),
        Err(error) if is_missing_stream(&error.kind()) => {
            let created = jetstream
                .create_stream(wanted.clone())
                .await
                .map_err(|source| StreamsError::Create { stream: name.clone(), source })?;
            ensured.created.push(name.clone());
            created.cached_info().config.clone()
        }
        Err(source) => return Err(StreamsError::Lookup { stream: name.clone(), source }),
    };
    merge(&mut ensured.differences, stream_differences(wanted, &found));
    for it in consumers {
        ensure_consumer(jetstream, name, it, ensured).await?;
    }
    Ok(())
}

async fn ensure_consumer(
    jetstream: &Context,
    stream: &str,
    wanted: &pull::Config,
    ensured: &mut Ensured,
) -> Result<(), StreamsError> {
    let name = wanted.durable_name.clone().unwrap_or_default();
    let failed = |source| StreamsError::Consumer {
        stream: stream.to_owned(),
        consumer: name.clone(),
        source,
    };
    let looked: Result<Consumer<pull::Config>, _> =
        jetstream.get_consumer_from_stream(&name, stream).await;
    let found = match looked {
        Ok(found) => found.cached_info().config.clone(),
        Err(error) if is_missing_consumer(&error.kind()) => {
            let created = jetstream
                .create_consumer_on_stream(wanted.clone(), stream)
                .await
                .map_err(failed)?;
            ensured.created.push(format!("{stream}/{name}"));
            created.cached_info().config.clone()
        }
        Err(source) => return Err(failed(source)),
    };
    merge(&mut ensured.differences, consumer_differences(stream, wanted, &found));
    Ok(())
}

fn tell(ensured: &Ensured) -> Result<(), StreamsError> {
    if !ensured.created.is_empty() {
        info!(count = ensured.created.len(), "created missing streams and consumers");
    }
    for it in &ensured.differences {
        let Difference { what, setting, found_and_wanted, harmful } = it.clone();
        if harmful {
            return Err(StreamsError::Harmful { what, setting, found_and_wanted });
        }
        warn!(what, setting, found_and_wanted, "a broker setting is not as wanted");
    }
    Ok(())
}

fn is_missing_stream(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(it) if it.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_missing_consumer(kind: &ConsumerErrorKind) -> bool {
    matches!(kind, ConsumerErrorKind::JetStream(it) if it.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

/// Whether waiting may help: no answer yet, or JetStream says that it is not there at the moment.
fn not_ready(error: &StreamsError) -> bool {
    // Two who make the same streams at once are both counted for a moment: then there seems to be
    // no room. Whoever waits sees the other's work.
    let passing = |it: &async_nats::jetstream::Error| {
        matches!(it.code(), 503 | 408)
            || it.error_code() == ErrorCode::STREAM_NOT_FOUND
            || it.error_code() == ErrorCode::STORAGE_RESOURCES_EXCEEDED
    };
    match error {
        StreamsError::Lookup { source, .. } => match source.kind() {
            GetStreamErrorKind::Request => true,
            GetStreamErrorKind::JetStream(it) => passing(&it),
            _ => false,
        },
        StreamsError::Create { source, .. } => match source.kind() {
            CreateStreamErrorKind::JetStreamUnavailable
            | CreateStreamErrorKind::TimedOut
            | CreateStreamErrorKind::Response => true,
            CreateStreamErrorKind::JetStream(it) => passing(&it),
            _ => false,
        },
        StreamsError::Consumer { source, .. } => match source.kind() {
            ConsumerErrorKind::TimedOut | ConsumerErrorKind::Request => true,
            ConsumerErrorKind::JetStream(it) => passing(&it),
            _ => false,
        },
        StreamsError::Harmful { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmful_difference_stops_us_and_a_harmless_one_is_only_told() {
        let difference = |harmful| Difference {
            what: "WORK/p22".into(),
            setting: "filter_subject",
            found_and_wanted: String::new(),
            harmful,
        };
        let told =
            |harmful| tell(&Ensured { created: vec![], differences: vec![difference(harmful)] });
        assert!(told(false).is_ok());
        assert!(matches!(told(true), Err(StreamsError::Harmful { setting: "filter_subject", .. })));
    }

    #[test]
    fn the_store_has_room_for_all_streams_at_their_largest() {
        let limits = StreamLimits::default();
        let needed = limits.work_bytes_max + 32 * limits.report_bytes_max;
        assert!(limits.store_bytes(32) >= needed.unsigned_abs());
    }
}
