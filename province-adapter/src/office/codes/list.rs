//! The hub's lists that an office may have codes of its own for.

use events::vocabulary::{
    Category, Channel, Grade, Item, Material, Outcome, Reason, SuspensionGround,
};
use events::work::WorkKind;

/// Which table. The order is that of the example file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// 事项
    Item,
    /// 从业资格类别
    Category,
    /// 申请渠道
    Channel,
    /// What is handed over: a case, a correction, a withdrawal.
    Work,
    /// 材料
    Material,
    /// Reasons, where the office has one list for all.
    Reason,
    /// 不予受理的理由
    DeclineReason,
    /// 退回的理由
    ReturnReason,
    /// 不予通过的理由
    DenialReason,
    /// 特别程序
    Ground,
    /// 办理结果
    Outcome,
    /// 诚信考核等级
    Grade,
    /// The office's word for where a case stands.
    Answer,
}

/// What an office's state of a case says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnswerKind {
    /// 受理
    Accepted,
    /// 不予受理
    Declined,
    /// 补正告知
    CorrectionRequested,
    /// 退回
    Returned,
    /// 特别程序开始
    Suspended,
    /// 特别程序结束
    Resumed,
    /// 办结
    Completed,
    /// 证照已制发
    CertificateIssued,
    /// A state of the office's own, of which the hub hears nothing: 收件, 审核中 …
    NothingNew,
}

impl AnswerKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Accepted,
        Self::Declined,
        Self::CorrectionRequested,
        Self::Returned,
        Self::Suspended,
        Self::Resumed,
        Self::Completed,
        Self::CertificateIssued,
        Self::NothingNew,
    ];

    /// The code: the token of the report that it becomes, or `nothing-new`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::CorrectionRequested => "correction-requested",
            Self::Returned => "returned",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Completed => "completed",
            Self::CertificateIssued => "certificate-issued",
            Self::NothingNew => "nothing-new",
        }
    }

    /// The one with this code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }
}

impl List {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Item,
        Self::Category,
        Self::Channel,
        Self::Work,
        Self::Material,
        Self::Reason,
        Self::DeclineReason,
        Self::ReturnReason,
        Self::DenialReason,
        Self::Ground,
        Self::Outcome,
        Self::Grade,
        Self::Answer,
    ];

    /// Its name in the file and in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Category => "category",
            Self::Channel => "channel",
            Self::Work => "work",
            Self::Material => "material",
            Self::Reason => "reason",
            Self::DeclineReason => "decline_reason",
            Self::ReturnReason => "return_reason",
            Self::DenialReason => "denial_reason",
            Self::Ground => "ground",
            Self::Outcome => "outcome",
            Self::Grade => "grade",
            Self::Answer => "answer",
        }
    }

    /// The hub's own codes of the list.
    pub fn hub_codes(self) -> impl Iterator<Item = &'static str> {
        let codes: Vec<&'static str> = match self {
            Self::Item => Item::ALL.iter().map(|it| it.code()).collect(),
            Self::Category => Category::ALL.iter().map(|it| it.code()).collect(),
            Self::Channel => Channel::ALL.iter().map(|it| it.code()).collect(),
            Self::Work => [WorkKind::Case, WorkKind::Correction, WorkKind::Withdrawal]
                .map(WorkKind::token)
                .to_vec(),
            Self::Material => Material::ALL.iter().map(|it| it.code()).collect(),
            Self::Reason | Self::DeclineReason | Self::ReturnReason | Self::DenialReason => {
                Reason::ALL.iter().map(|it| it.code()).collect()
            }
            Self::Ground => SuspensionGround::ALL.iter().map(|it| it.code()).collect(),
            Self::Outcome => Outcome::ALL.iter().map(|it| it.code()).collect(),
            Self::Grade => Grade::ALL.iter().map(|it| it.code()).collect(),
            Self::Answer => AnswerKind::ALL.iter().map(|it| it.code()).collect(),
        };
        codes.into_iter()
    }

    /// The hub's code that is spelt so.
    pub fn hub_code(self, code: &str) -> Option<&'static str> {
        self.hub_codes().find(|it| *it == code)
    }

    /// The hub sends any of these at any time: a table without one would stop work later. Of the
    /// other lists only the office speaks.
    pub fn is_sent(self) -> bool {
        matches!(self, Self::Item | Self::Category | Self::Channel | Self::Work | Self::Material)
    }
}
