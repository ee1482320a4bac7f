//! Of what people are told, as given-when-then with the clock in hand; storms; and the words.

use events::ids::ProvinceCode;
use events::keeping::alerts::{AlertNotice, NoticeWhy};
use events::vocabulary::AlertKind;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::compose::{Letter, Sender, subject, text, webhook_body};
use super::config::{AlertmanagerConfig, MailConfig, NoticesConfig, Security, WebhookConfig};
use super::plan::{NoticePace, Planned, Standing, plan};
use super::webhook::WebhookSecret;
use crate::views::acts::{Acknowledged, Acts, GroupOf, GroupState, Silence, Told};
use crate::views::rows::AlertGroup;

const OVERDUE: AlertKind = AlertKind::AcceptanceOverdue;

fn start() -> Timestamp {
    "2026-03-02T16:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

fn pace() -> NoticePace {
    NoticesConfig::default().pace()
}

/// People: they remember what they were told, as the views do.
#[derive(Default)]
struct World {
    groups: Vec<AlertGroup>,
    states: Vec<GroupOf>,
    sent: Vec<Timestamp>,
}

impl World {
    fn group(&mut self, kind: AlertKind, province: u8, count: u64, oldest: Option<Timestamp>) {
        let province = ProvinceCode::new(province);
        self.groups.retain(|it| (it.kind, it.province) != (kind, province));
        if count > 0 {
            self.groups.push(AlertGroup::untouched(kind, province, count, oldest));
        }
    }

    fn state(&mut self, kind: AlertKind, province: Option<ProvinceCode>) -> &mut GroupState {
        let at = self.states.iter().position(|it| (it.kind, it.province) == (kind, province));
        let at = at.unwrap_or_else(|| {
            self.states.push(GroupOf { kind, province, state: GroupState::default() });
            self.states.len() - 1
        });
        &mut self.states[at].state
    }

    /// What is due at `now`, recorded as the views would.
    fn look(&mut self, now: Timestamp, pace: &NoticePace) -> Option<Planned> {
        let standing =
            Standing { groups: &self.groups, states: &self.states, sent: &self.sent, now };
        let planned = plan(&standing, pace)?;
        self.sent.push(now);
        for it in &planned.notices {
            let state = self.state(it.kind, it.province);
            state.told = match (it.why, state.told) {
                (NoticeWhy::Resolved, _) => None,
                (NoticeWhy::First, _) | (_, None) => {
                    Some(Told { since: it.since, at: now, count: it.count })
                }
                (_, Some(told)) => Some(Told { at: now, count: told.count.max(it.count), ..told }),
            };
        }
        Some(planned)
    }

    fn whys(&mut self, now: Timestamp) -> Vec<(NoticeWhy, u64)> {
        let planned = self.look(now, &pace());
        planned.map_or_else(Vec::new, |it| it.notices.iter().map(|it| (it.why, it.count)).collect())
    }
}

#[test]
fn a_group_is_told_when_new_when_much_larger_when_forgotten_and_when_over() {
    let mut world = World::default();
    // seconds, how many stand, what is told
    type Row<'a> = (i64, u64, &'a [(NoticeWhy, u64)]);
    let table: &[Row<'_>] = &[
        (0, 3, &[]), // new, and waits for company
        (29, 3, &[]),
        (30, 3, &[(NoticeWhy::First, 3)]),
        (31, 9, &[]),
        (200, 12, &[]), // a step higher, and too soon after the last
        (330, 12, &[(NoticeWhy::Grown, 12)]),
        (900, 8, &[]), // fewer is no news
        (1_300, 49, &[]),
        (1_301, 50, &[(NoticeWhy::Grown, 50)]),
        (15_700, 50, &[]),
        (15_701, 50, &[(NoticeWhy::Reminder, 50)]),
        (15_702, 0, &[]), // gone, and perhaps not for long
        (16_300, 0, &[]),
        (16_301, 0, &[(NoticeWhy::Resolved, 0)]),
        (20_000, 0, &[]),
        (20_001, 1, &[(NoticeWhy::First, 1)]), // again: as if it were new
    ];
    for (second, count, told) in table {
        world.group(OVERDUE, 22, *count, Some(start()));
        assert_eq!(world.whys(after(*second)), *told, "second {second}");
    }
}

#[test]
fn acknowledged_is_not_reminded_of_and_silenced_is_not_told_at_all() {
    let mut world = World::default();
    world.group(OVERDUE, 22, 3, Some(start()));
    assert_eq!(world.whys(after(60)), [(NoticeWhy::First, 3)]);
    let by = "li".to_owned();
    let acknowledged = Acknowledged { by: by.clone(), at: after(70), note: "called".into() };
    let province = ProvinceCode::new(22);
    world.state(OVERDUE, province).acts.acknowledged = Some(acknowledged);
    assert_eq!(world.whys(after(20_000)), [], "no reminder");
    world.group(OVERDUE, 22, 60, Some(start()));
    assert_eq!(world.whys(after(20_001)), [(NoticeWhy::Grown, 60)], "that there are more is news");
    let silence = Silence { by, until: after(30_000), reason: "known".into() };
    world.state(OVERDUE, province).acts = Acts { silenced: Some(silence), ..Acts::default() };
    world.group(OVERDUE, 22, 6_000, Some(start()));
    assert_eq!(world.whys(after(29_999)), []);
    world.group(OVERDUE, 22, 0, None);
    assert_eq!(world.whys(after(29_999)), [], "not even that it is over");
    assert_eq!(world.whys(after(30_000)), [(NoticeWhy::Resolved, 0)], "the silence has ended");
    // Of a group, those that are silenced one by one do not count.
    world.groups.push(AlertGroup {
        silenced: 2,
        ..AlertGroup::untouched(OVERDUE, province, 2, Some(start()))
    });
    assert_eq!(world.whys(after(40_000)), []);
}

#[test]
fn what_comes_together_goes_together_and_kinds_that_are_not_wanted_stay_quiet() {
    let mut world = World::default();
    for (at, code) in [11_u8, 22, 44].into_iter().enumerate() {
        world.group(OVERDUE, code, 5, Some(after(at as i64 * 10)));
    }
    world.group(AlertKind::DueSoon, 11, 500, None);
    assert_eq!(world.whys(after(29)), []);
    // The first has waited long enough; the others do not wait for a message of their own.
    assert_eq!(world.whys(after(30)).len(), 3);
}

#[test]
fn ten_thousand_breaches_at_midnight_are_one_message() {
    let mut world = World::default();
    let mut messages = Vec::new();
    for second in 0..600 {
        // Ten seconds of recording, a thousand a second, over all provinces.
        let count = 32 * (second.min(9) + 1) as u64;
        for code in ProvinceCode::all() {
            world.group(OVERDUE, code.number(), count, Some(start()));
        }
        messages.extend(world.look(after(second), &pace()));
    }
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].notices.len(), 32);
    let letter = Letter {
        message: Uuid::from_u128(7),
        planned_at: start(),
        notices: messages[0].notices.clone(),
        quiet_until: None,
    };
    let told = text(&letter, &sender());
    assert!(told.lines().count() < 80 && told.contains("另有 12 组，共 3840 项"), "{told}");
}

#[test]
fn whatever_happens_an_hour_has_no_more_messages_than_its_bound_and_the_last_says_so() {
    let (mut world, pace) = (World::default(), pace());
    let mut sent: Vec<(i64, Option<Timestamp>)> = Vec::new();
    // A day in which everything comes and goes at its own beat, and grows.
    for second in (0..86_400_i64).step_by(7) {
        for (at, code) in ProvinceCode::all().enumerate() {
            let beat = 60 + 37 * at as i64;
            let count = if second / beat % 2 == 0 { 1 + second as u64 % 6_000 } else { 0 };
            world.group(OVERDUE, code.number(), count, None);
            world.group(AlertKind::AdapterSilent, code.number(), count.min(1), None);
        }
        let told = world.look(after(second), &pace);
        sent.extend(told.map(|it| (second, it.quiet_until)));
    }
    assert!(sent.len() > 24, "people are told: {}", sent.len());
    for (second, quiet) in &sent {
        let hour = sent.iter().filter(|it| (*second - 3_599..=*second).contains(&it.0)).count();
        assert!(hour <= pace.messages_an_hour_max, "{hour} messages before second {second}");
        assert_eq!(quiet.is_some(), hour == pace.messages_an_hour_max, "second {second}");
        if let Some(until) = quiet {
            let next = sent.iter().find(|it| it.0 > *second);
            assert!(next.is_none_or(|it| after(it.0) >= *until), "it was quiet until {until}");
        }
    }
}

fn sender() -> Sender {
    Sender { origin: "hub.test/one".into(), console: "https://hub.test".into() }
}

fn letter() -> Letter {
    let notice = |kind, province, count, why| AlertNotice {
        kind,
        province: ProvinceCode::new(province),
        count,
        why,
        since: start(),
    };
    let notices = vec![
        notice(AlertKind::SeriouslyOverdue, 44, 0, NoticeWhy::Resolved),
        notice(OVERDUE, 22, 12, NoticeWhy::First),
        notice(AlertKind::QuarantineFull, 0, 1, NoticeWhy::Reminder),
    ];
    let quiet_until = Some(after(3_600));
    Letter { message: Uuid::from_u128(7), planned_at: start(), notices, quiet_until }
}

#[test]
fn a_message_says_what_and_where_with_its_links_and_until_when_it_is_quiet() {
    assert_eq!(
        subject(&letter(), &sender()),
        "【预警】全国 隔离区已满 1（仍未处置），吉林省 受理超期 12（新出现），另 1 组 · hub.test/one"
    );
    let told = text(&letter(), &sender());
    for said in [
        "https://hub.test/alerts?kind=acceptance-overdue&province=22",
        "https://hub.test/alerts?kind=quarantine-full&province=none",
        "本小时通知已达上限，2026-03-03 01:00 前不再通知；请看页面。",
        "Guangdong: seriously overdue 0 (over)",
        "hub.test/one · 2026-03-03 00:00",
    ] {
        assert!(told.contains(said), "{said} in {told}");
    }
    let body: serde_json::Value =
        serde_json::from_slice(&webhook_body(&letter(), &sender())).unwrap();
    assert_eq!(body["data"]["alerts"][1]["runbook"], "deploy/runbook.md#acceptance-overdue");
    assert_eq!(webhook_body(&letter(), &sender()), webhook_body(&letter(), &sender()));
    assert!(subject(&Letter::test(Uuid::nil(), start()), &sender()).starts_with("【测试】"));
}

/// The vector of the specification's own library.
#[test]
fn a_webhook_is_signed_as_standard_webhooks_has_it() {
    let secret = WebhookSecret::read("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n").unwrap();
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let signature = secret.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
    assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    for wrong in ["", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_!", "whsec_c2hvcnQ="] {
        assert!(WebhookSecret::read(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn settings_that_cannot_be_meant_are_named() {
    let hook = |name: &str, url: &str| WebhookConfig {
        name: name.into(),
        url: url.into(),
        secret_file: "x".into(),
    };
    let mail = |to: &[&str], user: Option<&str>, security| MailConfig {
        name: "duty".into(),
        host: "mail.test".into(),
        port: 25,
        security,
        ca_file: None,
        user: user.map(str::to_owned),
        password_file: user.map(|_| "pw".into()),
        from: "跨省通办 <hub@mail.test>".into(),
        to: to.iter().map(|it| (*it).to_owned()).collect(),
    };
    let with = |change: &dyn Fn(&mut NoticesConfig)| {
        let mut config = NoticesConfig::default();
        change(&mut config);
        config.problems(Some("https://hub.test"))
    };
    assert!(with(&|_| {}).is_empty());
    assert!(with(&|it| it.mails = vec![mail(&["a@b.test"], Some("u"), Security::Tls)]).is_empty());
    type Change<'a> = &'a dyn Fn(&mut NoticesConfig);
    let table: &[(Change<'_>, &str)] = &[
        (&|it| it.messages_an_hour_max = 0, "messages_an_hour_max"),
        (&|it| it.interval_s = 0, "interval_s"),
        (&|it| it.remind_every_s = u64::MAX, "remind_every_s"),
        (&|it| it.steps = vec![10, 5], "steps"),
        (&|it| it.retry_ms = vec![1], "retry_ms"),
        (&|it| it.webhooks = vec![hook("Duty", "https://a.test")], "a-z"),
        (&|it| it.webhooks = vec![hook("a", "ftp://a.test")], "web address"),
        (&|it| it.webhooks = vec![hook("a", "https://a"), hook("a", "https://b")], "used once"),
        (&|it| it.mails = vec![mail(&["nobody"], None, Security::None)], "mail address"),
        (&|it| it.mails = vec![mail(&[], None, Security::None)], "`to`"),
        (&|it| it.mails = vec![mail(&["a@b.test"], Some("u"), Security::None)], "in clear"),
        (
            &|it| {
                let (name, url) = ("a".to_owned(), "http://a".to_owned());
                it.alertmanagers = vec![AlertmanagerConfig { name, url, resend_s: 0 }];
            },
            "resend_s",
        ),
    ];
    for (change, said) in table {
        let problems = with(change);
        assert!(problems.len() == 1 && problems[0].contains(said), "{said}: {problems:?}");
    }
    let webhooks = vec![hook("a", "https://a.test")];
    let told = NoticesConfig { webhooks, ..NoticesConfig::default() };
    assert!(told.problems(None)[0].contains("public_url"));
}
