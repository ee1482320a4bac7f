//! The field's own lists: items, categories, channels, outcomes, reasons. Data, not behaviour.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $zh:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $code)] $variant,)+ }

        impl $name {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The stable code, as on the wire.
            pub fn code(self) -> &'static str { match self { $(Self::$variant => $code),+ } }
            /// The word in Chinese.
            pub fn zh(self) -> &'static str { match self { $(Self::$variant => $zh),+ } }
            /// The one with this code.
            pub fn of(code: &str) -> Option<Self> { match code { $($code => Some(Self::$variant),)+ _ => None } }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.code()) }
        }
    };
}

vocabulary! {
    /// The five items handled across provinces (交办运函〔2021〕446号).
    Item {
        /// Lost or damaged certificate.
        Reissue = "reissue", "补发";
        /// Before the six years end.
        Renewal = "renewal", "换发";
        /// Service unit or personal particulars.
        Change = "change", "变更";
        /// The holder gives it up, or may not hold it any more.
        Cancellation = "cancellation", "注销";
        /// The yearly assessment.
        IntegrityAssessment = "integrity-assessment", "诚信考核";
    }
}
vocabulary! {
    /// The three categories of drivers.
    Category {
        /// 道路旅客运输
        Passenger = "passenger", "道路旅客运输";
        /// 道路普通货物运输
        GeneralFreight = "general-freight", "道路普通货物运输";
        /// 道路危险货物运输
        DangerousGoods = "dangerous-goods", "道路危险货物运输";
    }
}
vocabulary! {
    /// Where the driver applied.
    Channel {
        /// ysfw.mot.gov.cn
        Web = "web", "网站";
        /// 道路运政一网通办
        MiniProgram = "mini-program", "小程序";
        /// 道运通
        App = "app", "App";
        /// The ministry's WeChat account.
        Wechat = "wechat", "微信公众号";
        /// The national government-service platform.
        GovernmentPlatform = "government-platform", "国家政务服务平台";
        /// A province's own platform, handed on.
        ProvincialPlatform = "provincial-platform", "省级平台";
    }
}
vocabulary! {
    /// The two clocks.
    Stage {
        /// Two working days from submission.
        Acceptance = "acceptance", "受理";
        /// Three working days from acceptance.
        Completion = "completion", "办结";
    }
}
vocabulary! {
    /// What an alert is about. One event's alert, one that is told when asked, or one of a province.
    AlertKind {
        /// Yellow: the due day is today or the next working day. Told when asked, not recorded.
        DueSoon = "due-soon", "即将到期";
        /// Red.
        AcceptanceOverdue = "acceptance-overdue", "受理超期";
        /// Red.
        CompletionOverdue = "completion-overdue", "办结超期";
        /// 催办
        Urged = "urged", "催办";
        /// Five working days after the due day.
        SeriouslyOverdue = "seriously-overdue", "严重超期";
        /// 行政许可法 Art. 32(4).
        DeemedAccepted = "deemed-accepted", "视为受理";
        /// Forwarded, and no signed receipt came back for ten minutes. Told when asked.
        NothingCameBack = "nothing-came-back", "省级未签收";
        /// A second, different decision.
        ConflictingDecision = "conflicting-decision", "决定前后矛盾";
        /// An operator must look.
        Parked = "parked", "暂停转办";
        /// A province's adapter neither fetches nor reports. Told when asked.
        AdapterSilent = "adapter-silent", "适配器失联";
        /// Nothing is forwarded to a province: its adapter has no valid certificate. Told when asked.
        HeldBack = "held-back", "无有效证书暂缓转办";
        /// What is not understood is only counted any more. Told when asked.
        QuarantineFull = "quarantine-full", "隔离区已满";
    }
}
vocabulary! {
    /// How a completed case ended. Completion is not success.
    Outcome {
        /// 办理成功
        Approved = "approved", "通过";
        /// 不予通过
        Denied = "denied", "不予通过";
    }
}
vocabulary! {
    /// Why a province declines, returns, asks for correction or denies. Free text goes sealed.
    Reason {
        /// One of the four commonest.
        AssessmentNotDue = "assessment-not-due", "未到考核期";
        /// One of the four commonest.
        RenewalNotDue = "renewal-not-due", "未到换证期";
        /// One of the four commonest.
        EducationIncomplete = "education-incomplete", "继续教育学时不足";
        /// One of the four commonest.
        DuplicateApplication = "duplicate-application", "重复提交";
        /// 近期小二寸白底免冠照片
        PhotoUnacceptable = "photo-unacceptable", "照片不合格";
        /// Invalid, or its class no longer fits.
        LicenceInvalid = "licence-invalid", "驾驶证无效或准驾车型不符";
        /// Within three years.
        MajorAccident = "major-accident", "三年内有重大以上交通责任事故";
        /// 63 since 2026-03-20.
        OverAge = "over-age", "超过年龄";
        /// Cancelled, or more than 180 days past expiry.
        CertificateVoid = "certificate-void", "证件已注销或逾期超过180日";
        /// 行政许可法 Art. 32(2).
        NotThisAuthority = "not-this-authority", "不属于本机关职权范围";
        /// The certificate's and the person's particulars differ.
        DataMismatch = "data-mismatch", "人证信息不一致";
        /// 材料不齐
        MaterialsMissing = "materials-missing", "材料不齐全";
        /// None of these; the sealed text says which.
        Other = "other", "其他";
    }
}
vocabulary! {
    /// A document a province may ask for in its one-time notice (行政许可法 Art. 32(4)).
    Material {
        /// 登记表
        RegistrationForm = "registration-form", "登记表";
        /// 身份证
        IdentityCard = "identity-card", "身份证";
        /// 机动车驾驶证
        DrivingLicence = "driving-licence", "机动车驾驶证";
        /// 照片
        Photo = "photo", "照片";
        /// 原从业资格证
        OldCertificate = "old-certificate", "原从业资格证";
        /// 遗失声明
        LossStatement = "loss-statement", "遗失声明";
        /// 继续教育证明
        EducationRecord = "education-record", "继续教育证明";
        /// 变更证明
        ProofOfChange = "proof-of-change", "变更证明";
    }
}
vocabulary! {
    /// Why the clock may stand still (行政许可法 Art. 45).
    SuspensionGround {
        /// 听证
        Hearing = "hearing", "听证";
        /// 检验、检测
        Examination = "examination", "检验检测";
        /// 专家评审
        ExpertReview = "expert-review", "专家评审";
    }
}
vocabulary! {
    /// The grades of an integrity assessment. The province awards them; the hub computes none.
    Grade {
        /// 优良
        Aaa = "AAA", "优良";
        /// 合格
        Aa = "AA", "合格";
        /// 基本合格
        A = "A", "基本合格";
        /// 不合格
        B = "B", "不合格";
    }
}
vocabulary! {
    /// 好差评, five grades.
    Rating {
        /// 非常满意
        VerySatisfied = "very-satisfied", "非常满意";
        /// 满意
        Satisfied = "satisfied", "满意";
        /// 基本满意
        Fair = "fair", "基本满意";
        /// 不满意
        Dissatisfied = "dissatisfied", "不满意";
        /// 非常不满意
        VeryDissatisfied = "very-dissatisfied", "非常不满意";
    }
}

/// The last day of a period: it ends at 24:00 in Shanghai. Stamped when decided, never recomputed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DueDay {
    /// The day.
    pub day: Date,
    /// The State Council papers that the count rests on, e.g. 国办发明电〔2025〕7号.
    pub papers: Vec<String>,
    /// It runs into a year whose calendar nobody has published yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub provisional: bool,
}

/// What a due day was counted from, so that a corrected calendar can be applied by anyone who reads
/// the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The Shanghai date that does not count itself.
    pub from: Date,
    /// How many working days follow.
    pub working_days: u32,
}

pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

/// The authority that issued the certificate: an entry of the authority list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IssuingAuthority {
    /// Its 统一社会信用代码 (GB 32100) or an entry of the hub's own list; at most 32 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its name as the certificate has it; at most 64 characters.
    pub name: String,
    /// Its division code, where it has one: 长白山管委会 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<crate::ids::DivisionCode>,
}
