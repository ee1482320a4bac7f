//! Somebody on duty in the demo: signs in at the console's own door and looks after a few alerts with its own forms,
//! so that whoever opens the alerts sees how it looks when people work there.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::StatusCode;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::Value;

use super::super::remote::Door;

/// How long the console may take for one page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Alerts looked at; more stand only if everybody is late.
const LOOKED_AT: usize = 500;
/// Kinds of alerts about a day that has passed: these can be explained.
const BREACHES: [&str; 2] = ["acceptance-overdue", "completion-overdue"];
const DUE_SOON: &str = "due-soon";

/// What is done, once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Of what is due soon: somebody shall look after it.
    Assign,
    /// Of a group of breaches: seen, and what is done about it.
    Acknowledge,
    /// Of one breach: why.
    Explain,
}

impl Deed {
    fn fits(self, alert: &Value) -> bool {
        let kind = text(alert, "kind");
        match self {
            Self::Assign => kind == DUE_SOON,
            Self::Acknowledge | Self::Explain => BREACHES.contains(&kind),
        }
    }

    /// The form's fields beside the group's.
    fn form(self, alert: &Value) -> Vec<(&'static str, String)> {
        match self {
            Self::Assign => vec![("deed", "assign".into()), ("to", "hotline".into())],
            Self::Acknowledge => vec![
                ("deed", "acknowledge".into()),
                ("note", "已电话联系该省值班员，正在恢复连接".into()),
            ],
            Self::Explain => vec![
                ("deed", "explain".into()),
                ("case", text(alert, "case_number").to_owned()),
                ("stage", text(alert, "stage").to_owned()),
                ("note", "该省专线中断，恢复后已催办".into()),
            ],
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Assign => "值班员指派一组临期办件 the operator assigns what is due soon",
            Self::Acknowledge => "值班员确认一组超期 the operator acknowledges a group of breaches",
            Self::Explain => "值班员说明一件超期的原因 the operator explains a breach",
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The operator at the desk, and what is still to be done.
pub(super) struct Desk {
    http: reqwest::Client,
    door: Door,
    password: String,
    to_do: Vec<Deed>,
}

impl Desk {
    /// An operator with this password; with nothing to do in a demo that kills at random.
    pub(super) fn new(door: Door, password: String, idle: bool) -> anyhow::Result<Self> {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder();
        let http = http.no_proxy().redirect(policy).timeout(PAGE_TIMEOUT).build()?;
        let all = vec![Deed::Assign, Deed::Acknowledge, Deed::Explain];
        Ok(Self { http, door, password, to_do: if idle { Vec::new() } else { all } })
    }

    /// Does the next deed that something stands for; told what was done. A hub that is away is no trouble: it is
    /// looked again.
    pub(super) async fn look(&mut self, base: &str) -> Option<&'static str> {
        if self.to_do.is_empty() {
            return None;
        }
        self.door.move_to(base);
        let path = format!("/v1/alerts?open=true&limit={LOOKED_AT}");
        let Ok((200, found)) = self.door.ask("GET", &path, None).await else { return None };
        let (at, deed, alert) = self.next(found["items"].as_array()?)?;
        let done = self.act(base, deed, &alert).await.is_ok();
        done.then(|| self.to_do.remove(at).told())
    }

    /// The first deed that something stands for, and the first it stands for: by province, then by number.
    fn next(&self, alerts: &[Value]) -> Option<(usize, Deed, Value)> {
        self.to_do.iter().enumerate().find_map(|(at, deed)| {
            let fitting = alerts.iter().filter(|it| it["province"].is_string() && deed.fits(it));
            let first = fitting.min_by_key(|it| (text(it, "province"), text(it, "case_number")))?;
            Some((at, *deed, first.clone()))
        })
    }

    async fn act(&self, base: &str, deed: Deed, alert: &Value) -> anyhow::Result<()> {
        let cookie = self.sign_in(base).await?;
        let page = self.http.get(format!("{base}/account")).header(COOKIE, &cookie);
        let page = page.send().await?.text().await?;
        let mark = page.split("name=\"mark\" value=\"").nth(1).and_then(|it| it.split('"').next());
        let mut form = deed.form(alert);
        form.extend(["kind", "province"].map(|it| (it, text(alert, it).to_owned())));
        form.push(("mark", mark.context("the page has no form")?.to_owned()));
        let answer = self.http.post(format!("{base}/alerts")).header(COOKIE, cookie).form(&form);
        let status = answer.send().await?.status();
        ensure!(status == StatusCode::SEE_OTHER, "the console answered {status}");
        Ok(())
    }

    async fn sign_in(&self, base: &str) -> anyhow::Result<String> {
        let form = [("name", "operator"), ("password", self.password.as_str())];
        let answer = self.http.post(format!("{base}/sign-in")).form(&form).send().await?;
        let cookie = answer.headers().get(SET_COOKIE).context("nobody is let in")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
        Ok(cookie.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn next(alerts: &[Value], to_do: &[Deed]) -> Option<(Deed, String)> {
        let http = reqwest::Client::new();
        let door = Door::nowhere();
        let desk = Desk { http, door, password: String::new(), to_do: to_do.to_vec() };
        desk.next(alerts).map(|it| (it.1, text(&it.2, "case_number").to_owned()))
    }

    #[test]
    fn the_same_alerts_lead_to_the_same_deed() {
        let alert = |kind: &str, province: Option<&str>, number: &str| json!({"kind": kind, "province": province, "case_number": number, "stage": "acceptance"});
        let breach = |province, number| alert("acceptance-overdue", Some(province), number);
        let alerts = [breach("44", "C"), breach("37", "B"), breach("37", "A")];
        let all = [Deed::Assign, Deed::Acknowledge, Deed::Explain];
        let first = Some((Deed::Acknowledge, "A".to_owned()));
        assert_eq!(next(&alerts, &all), first, "nothing is due soon yet");
        let mut more = alerts.to_vec();
        more.reverse();
        assert_eq!(next(&more, &all), first);
        more.push(alert("due-soon", Some("11"), "D"));
        assert_eq!(next(&more, &all), Some((Deed::Assign, "D".to_owned())));
        assert_eq!(next(&more, &all[2..]), Some((Deed::Explain, "A".to_owned())));
        assert_eq!(next(&[alert("due-soon", None, "E")], &all), None, "of no province");
        assert_eq!(next(&more, &[]), None);
    }
}
