//! How a no is said over HTTP: RFC 9457, a stable code, where the fault lies, and never the faulty value.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use hub_core::refusal::Refusal;
use serde::Serialize;

tokio::task_local! {
    /// The id of the request that this task answers; `listen` sets it.
    pub(crate) static REQUEST_ID: String;
}

/// Most places that one problem names.
pub const PLACES_MAX: usize = 16;
/// How long a caller should wait before it asks a busy hub again, in seconds.
pub const RETRY_AFTER_BUSY_S: u32 = 1;
/// The same when the disk is full or the registrar has stopped: somebody must act first.
pub const RETRY_AFTER_STOPPED_S: u32 = 30;

/// One place of a body that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// RFC 6901, from the body's root.
    pub pointer: String,
    /// What is wrong there.
    pub code: &'static str,
    /// A way out, if there is one. Never the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
}

/// A no, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The stable code; a row of [`CODES`].
    pub code: &'static str,
    /// More about it; never a value from outside.
    pub detail: Option<String>,
    /// Where in the body.
    pub places: Vec<Place>,
    /// The case that stands in the way, for a duplicate.
    pub case_number: Option<String>,
    /// When to try again, in seconds.
    pub retry_after_s: Option<u32>,
}

/// Every code that an answer may carry: status, Chinese, English. `schemas/refusals.md` has a paragraph for each.
#[rustfmt::skip] // a table
pub const CODES: &[(&str, u16, &str, &str)] = &[
    // The request itself.
    ("unauthenticated",           401, "未认证",               "who asks is not known"),
    ("forbidden",                 403, "无权限",               "this caller may not do that"),
    ("not-found",                 404, "没有此资源",           "there is nothing here"),
    ("method-not-allowed",        405, "方法不允许",           "the method does not fit the resource"),
    ("request-timeout",           408, "请求超时",             "the request took too long"),
    ("too-large",                 413, "请求体过大",           "the body is too large"),
    ("unsupported-media-type",    415, "媒体类型不支持",       "only application/json in UTF-8 is read"),
    ("unsupported-encoding",      415, "不支持压缩的请求体",   "a Content-Encoding is not read"),
    ("too-many-requests",         429, "请求过于频繁",         "too many requests"),
    ("bad-parameter",             400, "参数错误",             "a query parameter or path segment is not usable"),
    ("idempotency-key-missing",   400, "缺少幂等键",           "exactly one Idempotency-Key is required"),
    ("idempotency-key-malformed", 400, "幂等键格式错误",       "an Idempotency-Key has 8 to 128 visible ASCII characters"),
    // The body as JSON.
    ("body-empty",                400, "请求体为空",           "the body is empty"),
    ("body-interrupted",          400, "请求体不完整",         "the body ended before it was whole"),
    ("byte-order-mark",           400, "含有字节序标记",       "a byte order mark is not allowed"),
    ("not-utf8",                  400, "不是有效的 UTF-8",     "the body is not valid UTF-8"),
    ("not-json",                  400, "不是有效的 JSON",      "the body is not one valid JSON text"),
    ("trailing-bytes",            400, "JSON 之后有多余内容",  "something follows the JSON text"),
    ("duplicate-key",             400, "键重复",               "an object has the same key twice"),
    ("too-deep",                  400, "嵌套过深",             "the JSON is nested too deeply"),
    ("too-many-keys",             400, "键过多",               "the JSON has too many keys"),
    ("unsafe-number",             400, "数值超出安全范围",     "a number lies outside of what every reader understands"),
    // The body against its schema.
    ("not-an-object",             422, "顶层不是对象",         "the body is not a JSON object"),
    ("missing-field",             422, "缺少字段",             "a required field is missing"),
    ("unknown-field",             422, "未知字段",             "a field is not known"),
    ("wrong-type",                422, "类型错误",             "a field has another type"),
    ("unknown-item",              422, "未知事项",             "the item is not one of the five"),
    ("unknown-category",          422, "未知类别",             "the category is not one of the three"),
    ("unknown-channel",           422, "未知渠道",             "the channel is not in the list"),
    ("unknown-material",          422, "未知材料种类",         "the kind of material is not in the list"),
    ("unknown-value",             422, "值不在名单内",         "the value is not in the list"),
    ("bad-length",                422, "长度不符",             "a text or list is too short or too long"),
    ("bad-form",                  422, "格式不符",             "a text has not the required form"),
    ("bad-moment",                422, "时刻格式错误",         "a moment is not RFC 3339 with an offset, or no such moment exists"),
    ("reference-not-opaque",      422, "附件编号格式错误",     "an attachment's reference is not an opaque id"),
    ("schema",                    422, "不符合模式",           "the body does not fit its schema"),
    // The person.
    ("identity-number-malformed", 422, "身份号码格式错误",     "the identity number has not the form of GB 11643"),
    ("identity-number-15-digits", 422, "十五位身份号码",       "an identity number of 15 digits is no longer valid"),
    ("identity-number-full-width",422, "身份号码含全角字符",   "the identity number has full-width characters"),
    ("identity-number-check-digit",422,"身份号码校验码错误",   "the check character of the identity number does not fit"),
    ("identity-number-birth-date",422, "身份号码出生日期错误", "the identity number has an impossible birth date"),
    ("identity-number-not-born",  422, "出生日期在将来",       "the birth date of the identity number lies in the future"),
    ("document-not-supported",    422, "证件种类不支持",       "this kind of identity document is not supported"),
    ("control-character",         422, "含控制字符",           "a text has a control character"),
    ("bidirectional-override",    422, "含双向控制字符",       "a text has a bidirectional control character"),
    ("invisible-character",       422, "含不可见字符",         "a text has an invisible character"),
    ("private-use-character",     422, "含自造字",             "a text has a private-use or unassigned character"),
    ("combining-flood",           422, "组合字符过多",         "a text has too many combining marks in a row"),
    ("look-alike-dot",            422, "间隔号不规范",         "the dot in a name must be U+00B7"),
    ("identity-number-in-clear",  422, "明文字段含身份号码",   "a field that is not sealed has an identity number"),
    ("blank-name",                422, "姓名为空白",           "the name begins, ends or consists of blanks"),
    // The rules.
    ("unknown-case",              404, "没有此办件",           "no such case"),
    ("case-exists",               409, "办件已存在",           "a case with this id is already recorded"),
    ("idempotency-key-reused",    422, "幂等键已用于其他请求", "the idempotency key was used for another request"),
    ("duplicate-application",     409, "重复申请",             "an open case for the same person and item exists"),
    ("unknown-authority",         422, "发证机关不在名录",     "the issuing authority is not in the list"),
    ("unknown-division",          422, "区划代码未知",         "the division code is unknown or outside the connected provinces"),
    ("submitted-in-future",       422, "提交时刻在将来",       "submitted_at lies in the future"),
    ("submitted-too-long-ago",    422, "提交时刻过早",         "submitted_at is too long ago"),
    ("report-too-early",          409, "报告先于前序到达",     "a report came before its predecessor"),
    ("not-your-case",             409, "办件不在该省",         "the case is not with that province"),
    ("stale-request",             409, "针对旧的请求",         "the report answers an older request"),
    ("wrong-digest",              409, "指纹不符",             "the digest is not the request's"),
    ("number-reused",             409, "报告序号重复",         "another report has this number"),
    ("out-of-order",              409, "当前状态不允许",       "the story does not allow it now"),
    ("case-ended",                409, "办件已结束",           "the case has ended"),
    ("conflicting-decision",      409, "与已有决定矛盾",       "another decision is on record"),
    ("impossible-moment",         422, "时刻不可能",           "the moment is impossible"),
    ("out-of-bounds",             422, "超出范围",             "a field is out of bounds"),
    ("nothing-to-do",             409, "没有可操作的对象",     "there is nothing to do that to"),
    ("province-not-enrolled",     409, "该省尚未接入",         "the province is not enrolled"),
    ("certificate-unreadable",      400, "不是符合性证书",     "not a certificate of conformance"),
    ("certificate-self-tested",     403, "自测证书不予登记",   "the adapter was tested by its own maker only"),
    ("certificate-untrusted-key",   403, "签发机构不受信任",   "signed with a key that is not trusted here"),
    ("certificate-wrong-signature", 403, "证书签名不成立",     "the certificate's signature does not fit"),
    ("certificate-other-province",  409, "证书属于别省",       "the certificate is another province's"),
    ("certificate-expired",         409, "证书已过期",         "the certificate has expired"),
    ("key-exists",                409, "密钥已登记",           "a key with this id is already registered"),
    ("unknown-key",               404, "没有此密钥",           "no such key"),
    ("request-unreadable",        422, "接入申请无法读取",     "the request cannot be read"),
    ("request-other-kind",        422, "申请种类不符",         "the request is of another kind"),
    ("request-other-province",    409, "申请属于其他省",       "the request is another province's"),
    ("request-other-origin",      409, "申请属于其他环境",     "the request is for another log or environment"),
    ("request-bad-key",           422, "申请中的密钥不可用",   "a key of the request is missing or not usable"),
    ("request-unknown-signer",    409, "签名密钥无效",         "the request is signed by a key that does not count"),
    ("request-bad-signature",     422, "申请签名不符",         "a signature of the request does not fit"),
    ("key-in-use",                409, "公钥已被使用",         "a public key of the request is registered under another name"),
    ("unknown-redrive",           404, "没有此重新处理",       "no such re-drive"),
    ("second-person-needed",      403, "须由另一人确认",       "somebody else than who ordered it must confirm it"),
    ("redrive-ended",             409, "重新处理已结束",       "the re-drive has ended"),
    ("too-many-redrives",         409, "重新处理过多",         "too many re-drives are open"),
    ("statement-superseded",      409, "已有更新的报表",       "a newer statement of this month is on record"),
    ("too-many-statements",       409, "该月更正次数过多",     "the month has been told too often"),
    ("bad-calendar",              422, "日历不可用",           "the calendar is not usable"),
    // Signing in through an OpenID provider.
    ("oidc-unreachable",           503, "身份提供方无应答",     "the OpenID provider gives no usable answer"),
    ("oidc-refused",               403, "身份提供方拒绝",       "the OpenID provider let nobody in"),
    ("oidc-state",                 400, "登录请求已失效",       "this sign-in was not begun in this browser, is too old, or was used already"),
    ("oidc-token",                 403, "身份令牌不可用",       "the provider's token is missing or cannot be read"),
    ("oidc-signature",             403, "身份令牌签名不成立",   "the token's signature does not fit, or its algorithm is not allowed"),
    ("oidc-issuer",                403, "身份令牌签发者不符",   "the token was issued by somebody else"),
    ("oidc-audience",              403, "身份令牌不是给本系统的", "the token is for another client"),
    ("oidc-nonce",                 403, "身份令牌与本次登录不符", "the token belongs to another sign-in"),
    ("oidc-expired",               403, "身份令牌已过期",       "the token has expired, or was issued in the future"),
    ("oidc-name",                  403, "用户名不可用",         "the provider's name for this person cannot be a name here"),
    ("oidc-role",                  403, "没有或有多个角色",     "the provider gives this person no role here, or several"),
    ("oidc-name-taken",            409, "用户名已被他人使用",   "an account of this name belongs to somebody else"),
    ("oidc-account",               409, "账号不能这样变更",     "the account cannot be made or changed so"),
    ("oidc-account-disabled",      403, "账号已停用",           "the account is disabled"),
    // The hub.
    ("busy",                      503, "系统繁忙",             "too many are waiting"),
    ("full",                      503, "存储已满",             "the disk is full; reading goes on"),
    ("stopped",                   503, "登记员已停止",         "nothing can be recorded now"),
    ("unreadable",                503, "暂时无法读取",         "the hub cannot read its own records now"),
    ("internal",                  500, "内部错误",             "a fault of the hub; its operators are told"),
];

impl Problem {
    /// A no with this code, which must be a row of [`CODES`].
    pub fn new(code: &'static str) -> Self {
        Self { code, detail: None, places: Vec::new(), case_number: None, retry_after_s: None }
    }
    /// The same, said of one place of the body.
    pub fn at(code: &'static str, pointer: &str) -> Self {
        let place = Place { pointer: pointer.to_owned(), code, hint: None };
        Self { places: vec![place], ..Self::new(code) }
    }
    /// With words that carry no value from outside.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
    /// With the time after which asking again makes sense.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
    /// What the answer's status will be.
    pub fn status(&self) -> StatusCode {
        let status = row(self.code).map_or(500, |it| it.1);
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn row(code: &str) -> Option<&'static (&'static str, u16, &'static str, &'static str)> {
    CODES.iter().find(|it| it.0 == code)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        // Texts of refusals name fields and numbers of ours only.
        Self::new(refusal.code()).detail(refusal.to_string())
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Place]>::is_empty")]
    errors: &'a [Place],
    #[serde(skip_serializing_if = "Option::is_none")]
    case_number: Option<&'a str>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let (zh, en) =
            row(self.code).map_or(("内部错误", "a fault of the hub"), |it| (it.2, it.3));
        let document = Document {
            kind: format!("urn:cn.gov.mot.hub:problem:{}", self.code),
            title: format!("{zh} / {en}"),
            status: self.status().as_u16(),
            code: self.code,
            detail: self.detail.as_deref(),
            instance: REQUEST_ID.try_with(|it| format!("urn:cn.gov.mot.hub:request:{it}")).ok(),
            pointer: self.places.first().map(|it| it.pointer.as_str()),
            errors: &self.places,
            case_number: self.case_number.as_deref(),
        };
        let body = serde_json::to_vec(&document).expect("plain texts always serialize");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The access line and the counters name the code without reading the body again.
        response.extensions_mut().insert(SaidCode(self.code));
        response
    }
}

/// The code of the problem that a response carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SaidCode(pub(crate) &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_said_once_and_its_status_is_an_error() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, status, zh, en) in CODES {
            assert!(seen.insert(code), "`{code}` twice");
            assert!((400..600).contains(status) && !zh.is_empty() && !en.is_empty(), "{code}");
        }
    }

    #[test]
    fn every_refusal_of_the_rules_has_its_answer() {
        let source = include_str!("../core/src/refusal.rs");
        let codes = source.lines().filter_map(|it| it.split_once("=> \"")).map(|it| it.1);
        let codes: Vec<&str> = codes.filter_map(|it| it.split('"').next()).collect();
        assert!(codes.len() >= 23, "the codes were not found in the source");
        for code in codes {
            assert!(row(code).is_some(), "`{code}` has no status");
        }
    }

    #[test]
    fn every_code_has_a_paragraph_that_says_what_to_do() {
        let page = include_str!("../../schemas/refusals.md");
        for (code, ..) in CODES {
            let paragraph = page.split(&format!("### `{code}`\n")).nth(1).unwrap_or("");
            let paragraph = paragraph.split("### ").next().unwrap_or("");
            assert!(paragraph.contains("**What to do:**"), "`{code}` has no paragraph");
        }
    }

    #[tokio::test]
    async fn a_problem_names_the_request_and_the_place() {
        let response = REQUEST_ID.scope("r-1".to_owned(), async {
            Problem::at("unknown-item", "/item").into_response()
        });
        let response = response.await;
        assert_eq!(response.status(), 422);
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["pointer"], "/item");
        assert_eq!(body["instance"], "urn:cn.gov.mot.hub:request:r-1");
    }
}
