//! Every NATS account, subject, stream, consumer and header, once. No personal data in any.

use crate::ids::ProvinceCode;

/// The stream of everything the hub sends.
pub const WORK_STREAM: &str = "WORK";
/// All its subjects.
pub const WORK_SUBJECTS: &str = "hub.v1.work.>";
/// The token of receipts among the work kinds.
pub const RECEIPTS_TOKEN: &str = "receipts";
/// The hub's account.
pub const HUB_ACCOUNT: &str = "HUB";
/// How the hub's own API reaches a province's account.
pub const PROVINCE_API_PREFIX: &str = "HUBJS.API";
/// The hub's private inbox.
pub const HUB_INBOX: &str = "_INBOX_hub";
/// The account from which the hub asks now and then, as a province would, whether answers come through.
pub const PROBE_ACCOUNT: &str = "PROBE";
/// Where the probe gets its answers.
pub const PROBE_INBOX: &str = "_INBOX_probe";
/// What the probe asks; it harms nothing and tells nothing.
pub const PROBE_SUBJECT: &str = "HUBJS.API.INFO";
/// The same as the hub's account knows it.
pub const PROBE_ASKS: &str = "$JS.API.INFO";
/// The header with the detached JWS.
pub const SIGNATURE_HEADER: &str = "Signature";
/// The header that JetStream deduplicates by: a courtesy, new for every attempt.
pub const MESSAGE_ID_HEADER: &str = "Nats-Msg-Id";
/// W3C trace context.
pub const TRACE_HEADER: &str = "traceparent";
/// Largest payload either way, in bytes. The broker's account limit is the same.
pub const PAYLOAD_BYTES_MAX: usize = 32 * 1024;
/// Most receipts under one signature.
pub const RECEIPTS_A_MESSAGE_MAX: usize = 64;

/// `hub.v1.work.22.case`: hub to province.
pub fn work(province: ProvinceCode, token: &str) -> String {
    format!("hub.v1.work.{province}.{token}")
}
/// The token of orders to compare, among the work kinds.
pub const RECONCILE_TOKEN: &str = "reconcile";
/// The token of inventories, among the reports.
pub const INVENTORY_TOKEN: &str = "inventory";
/// The token of lists, among the reports.
pub const HOLDINGS_TOKEN: &str = "holdings";
/// The token of statements of publicity (annex 1), among the reports.
pub const PUBLICITY_TOKEN: &str = "publicity";

/// `hub.v1.work.22.>`: what a province's consumer filters.
pub fn work_of(province: ProvinceCode) -> String {
    format!("hub.v1.work.{province}.>")
}
/// `p22`: the province's durable consumer on `WORK`, and its user.
pub fn consumer(province: ProvinceCode) -> String {
    format!("p{province}")
}
/// `P22`: the province's account.
pub fn account(province: ProvinceCode) -> String {
    format!("P{province}")
}
/// `_INBOX_p22`: the province's private inbox.
pub fn inbox(province: ProvinceCode) -> String {
    format!("_INBOX_p{province}")
}
/// `hub.v1.report.22.accepted`: province to hub.
pub fn report(province: ProvinceCode, token: &str) -> String {
    format!("hub.v1.report.{province}.{token}")
}
/// `hub.v1.report.22.>`: all that a province may say.
pub fn report_of(province: ProvinceCode) -> String {
    format!("hub.v1.report.{province}.>")
}
/// `REPORT_22`: the province's own stream, so that it can fill only its own.
pub fn report_stream(province: ProvinceCode) -> String {
    format!("REPORT_{province}")
}
/// The hub's durable consumer on a report stream.
pub const REPORT_CONSUMER: &str = "hub";
