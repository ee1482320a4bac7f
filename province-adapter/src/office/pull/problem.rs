//! How an office hears a no: RFC 9457, a stable code, the place in its own request, and a way out.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::office::desk::AnswerRefusal;
use crate::office::news::Fault;
use crate::store::StoreError;

/// Every code: status, Chinese, English. `schemas/refusals-office.md` has a paragraph for each.
#[rustfmt::skip] // a table
pub(crate) const CODES: &[(&str, u16, &str, &str)] = &[
    ("unauthenticated",          401, "未认证",             "the token is missing or wrong"),
    ("not-found",                404, "没有此资源",         "there is nothing here"),
    ("method-not-allowed",       405, "方法不允许",         "the method does not fit the resource"),
    ("request-timeout",          408, "请求超时",           "the request took too long"),
    ("too-large",                413, "请求体过大",         "the body is too large"),
    ("unsupported-media-type",   415, "媒体类型不支持",     "only application/json in UTF-8 is read"),
    ("bad-query",                400, "查询参数有误",       "a query parameter cannot be used"),
    ("not-json",                 400, "不是 JSON 对象",     "the body is not one JSON object in UTF-8"),
    ("idempotency-key",          400, "缺少或错误的幂等键", "the header Idempotency-Key is missing or cannot be used"),
    ("missing-field",            422, "缺少字段",           "a field is missing"),
    ("unknown-field",            422, "多余字段",           "a field does not belong here"),
    ("wrong-type",               422, "类型错误",           "a value has another type"),
    ("wrong-value",              422, "值有误",             "a value cannot be read"),
    ("contradiction",            422, "前后矛盾",           "two values contradict each other"),
    ("unknown-local-code",       422, "代码不在对照表中",   "a code stands in no row of the table of codes"),
    ("unknown-hub-code",         422, "枢纽代码没有对照",   "the table of codes has no code of the office for it"),
    ("authority-contradiction",  422, "机关代码与名称矛盾", "an authority's code and name lead to two rows"),
    ("out-of-bounds",            422, "超出范围",           "a value is out of bounds"),
    ("text-too-long",            422, "文字过长",           "the text for the applicant is too long"),
    ("identity-number-in-clear", 422, "明文身份证号",       "an identity number would stand in clear"),
    ("operation-reused",         422, "幂等键已用于其他答复", "the key was used for another answer"),
    ("unknown-work",             404, "没有此交办件",       "no such work"),
    ("unknown-case",             404, "没有此办件",         "no work of this case ever arrived here"),
    ("earlier-work-waits",       409, "同一办件有更早的交办件", "earlier work of the same case waits"),
    ("work-not-taken",           409, "有未领取的交办件",   "work of the case was not taken"),
    ("newer-work",               409, "已有更新的交办件",   "newer work of the case has arrived"),
    ("case-withdrawn",           409, "申请人已撤回",       "the applicant has withdrawn the case"),
    ("case-ended",               409, "办件已结束",         "the case has ended"),
    ("out-of-order",             409, "当前状态不允许",     "the answer does not fit where the case stands"),
    ("refused-by-hub",           409, "枢纽已拒绝此报告",   "the hub has refused this report"),
    ("unreadable-work",          500, "交办件无法打开",     "the work cannot be opened with this adapter's keys"),
    ("not-now",                  503, "暂时无法办理",       "it cannot be written down now"),
];

/// A no, as it is answered.
#[derive(Debug)]
pub(super) struct Problem {
    code: &'static str,
    detail: Option<String>,
    pointer: Option<String>,
}

impl Problem {
    /// A no with this code, which must be a row of [`CODES`].
    pub(super) fn new(code: &'static str) -> Self {
        Self { code, detail: None, pointer: None }
    }

    /// With more about it; no personal value.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code, detail: Some(fault.detail), pointer: Some(fault.pointer) }
    }
}

impl From<AnswerRefusal> for Problem {
    fn from(refusal: AnswerRefusal) -> Self {
        if refusal.is_temporary() {
            tracing::warn!(error = %crate::check::chain(&refusal), "cannot keep an answer of the office");
            return Self::new("not-now");
        }
        Self::new(refusal.code()).detail(refusal.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = %crate::check::chain(&error), "cannot use the store for the office");
        Self::new("not-now")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let row = CODES.iter().find(|it| it.0 == self.code);
        let (status, zh, en) =
            row.map_or((500, "内部错误", "a fault"), |it| (it.1, it.2, it.3));
        let mut body = json!({
            "type": format!("urn:cn.gov.mot.hub:problem:{}", self.code),
            "title": format!("{zh} / {en}"),
            "status": status,
            "code": self.code,
        });
        if let Some(detail) = self.detail {
            body["detail"] = detail.into();
        }
        if let Some(pointer) = self.pointer {
            body["pointer"] = pointer.into();
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body.to_string()).into_response();
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
