//! What the broker keeps, compared with what we asked for, because it need not be the same.
//!
//! An old server drops silently what it does not know, and somebody may have made a stream by hand.

use async_nats::jetstream::consumer::{self, pull};
use async_nats::jetstream::stream;

/// One setting that is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `WORK`, or `WORK/p22` for a consumer.
    pub what: String,
    /// The setting.
    pub setting: &'static str,
    /// As it is, and as it should be.
    pub found_and_wanted: String,
    /// Whether running on would be wrong.
    pub harmful: bool,
}

/// Where `found` is not as `wanted`.
pub(super) fn stream_differences(
    wanted: &stream::Config,
    found: &stream::Config,
) -> Vec<Difference> {
    let mut differences = Compare::of(wanted.name.clone());
    differences.harmful("subjects", &found.subjects, &wanted.subjects);
    differences.harmful("retention", &found.retention, &wanted.retention);
    differences.harmful("discard", &found.discard, &wanted.discard);
    differences.harmful("storage", &found.storage, &wanted.storage);
    differences.harmful("sealed", &found.sealed, &wanted.sealed);
    differences.harmful("no_ack", &found.no_ack, &wanted.no_ack);
    differences.harmful("deny_delete", &found.deny_delete, &wanted.deny_delete);
    differences.harmful("deny_purge", &found.deny_purge, &wanted.deny_purge);
    differences.harmless("max_bytes", &found.max_bytes, &wanted.max_bytes);
    differences.harmless(
        "max_messages_per_subject",
        &found.max_messages_per_subject,
        &wanted.max_messages_per_subject,
    );
    differences.harmless("max_age", &found.max_age, &wanted.max_age);
    differences.harmless("max_message_size", &found.max_message_size, &wanted.max_message_size);
    differences.harmless("duplicate_window", &found.duplicate_window, &wanted.duplicate_window);
    differences.found
}

/// The same for a consumer.
pub(super) fn consumer_differences(
    stream: &str,
    wanted: &pull::Config,
    found: &consumer::Config,
) -> Vec<Difference> {
    let name = wanted.durable_name.as_deref().unwrap_or_default();
    let mut differences = Compare::of(format!("{stream}/{name}"));
    // A consumer without its filter would show a province everybody's cases.
    differences.harmful("filter_subject", &found.filter_subject, &wanted.filter_subject);
    differences.harmful("filter_subjects", &found.filter_subjects, &wanted.filter_subjects);
    differences.harmful("deliver_subject", &found.deliver_subject, &None);
    differences.harmful("ack_policy", &found.ack_policy, &wanted.ack_policy);
    differences.harmful("max_deliver", &found.max_deliver, &wanted.max_deliver);
    differences.harmless("ack_wait", &found.ack_wait, &wanted.ack_wait);
    differences.harmless("max_ack_pending", &found.max_ack_pending, &wanted.max_ack_pending);
    differences.found
}

struct Compare {
    what: String,
    found: Vec<Difference>,
}

impl Compare {
    fn of(what: String) -> Self {
        Self { what, found: Vec::new() }
    }
    fn harmful<T: PartialEq + std::fmt::Debug>(&mut self, name: &'static str, is: &T, wanted: &T) {
        self.note(name, is, wanted, true);
    }
    fn harmless<T: PartialEq + std::fmt::Debug>(&mut self, name: &'static str, is: &T, wanted: &T) {
        self.note(name, is, wanted, false);
    }
    fn note<T: PartialEq + std::fmt::Debug>(
        &mut self,
        setting: &'static str,
        is: &T,
        wanted: &T,
        harmful: bool,
    ) {
        if is != wanted {
            let found_and_wanted = format!("{is:?}, wanted {wanted:?}");
            let what = self.what.clone();
            self.found.push(Difference { what, setting, found_and_wanted, harmful });
        }
    }
}

/// A retried stream is compared again; each difference is told once.
pub(super) fn merge(all: &mut Vec<Difference>, new: Vec<Difference>) {
    for it in new {
        if !all.contains(&it) {
            all.push(it);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::streams::{StreamLimits, report, work_consumer};
    use super::*;
    use async_nats::jetstream::consumer::AckPolicy;
    use events::ids::ProvinceCode;

    fn jilin() -> ProvinceCode {
        ProvinceCode::new(22).unwrap()
    }

    #[test]
    fn a_consumer_that_lost_its_filter_is_harmful() {
        let wanted = work_consumer(jilin(), &StreamLimits::default());
        let found = consumer::Config {
            durable_name: wanted.durable_name.clone(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: wanted.ack_wait,
            max_deliver: -1,
            max_ack_pending: 7,
            ..Default::default()
        };
        let differences = consumer_differences("WORK", &wanted, &found);
        let told: Vec<_> = differences.iter().map(|it| (it.setting, it.harmful)).collect();
        assert_eq!(told, [("filter_subject", true), ("max_ack_pending", false)]);
    }

    #[test]
    fn a_stream_as_wanted_has_no_differences_and_a_changed_one_names_each() {
        let limits = StreamLimits::default();
        let wanted = report(jilin(), &limits);
        assert_eq!(stream_differences(&wanted, &wanted.clone()), []);
        let changed = stream::Config {
            subjects: vec!["hub.v1.report.>".into()],
            deny_purge: false,
            max_bytes: 1,
            ..wanted.clone()
        };
        let told: Vec<_> = stream_differences(&wanted, &changed)
            .iter()
            .map(|it| (it.setting, it.harmful))
            .collect();
        assert_eq!(told, [("subjects", true), ("deny_purge", true), ("max_bytes", false)]);
    }
}
