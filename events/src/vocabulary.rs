//! The field's own lists: items, categories, channels, outcomes, reasons. Data, not behaviour.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $zh:literal, $en:literal;)+ }) => {
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
            /// The words in English, for whoever reads; never the code of several words.
            pub fn en(self) -> &'static str { match self { $(Self::$variant => $en),+ } }
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
        Reissue = "reissue", "补发", "reissue";
        /// Before the six years end.
        Renewal = "renewal", "换发", "renewal";
        /// Service unit or personal particulars.
        Change = "change", "变更", "change";
        /// The holder gives it up, or may not hold it any more.
        Cancellation = "cancellation", "注销", "cancellation";
        /// The yearly assessment.
        IntegrityAssessment = "integrity-assessment", "诚信考核", "integrity assessment";
    }
}
vocabulary! {
    /// The three categories of drivers.
    Category {
        /// 道路旅客运输
        Passenger = "passenger", "道路旅客运输", "passenger transport";
        /// 道路普通货物运输
        GeneralFreight = "general-freight", "道路普通货物运输", "general freight";
        /// 道路危险货物运输
        DangerousGoods = "dangerous-goods", "道路危险货物运输", "dangerous goods";
    }
}
vocabulary! {
    /// Where the driver applied.
    Channel {
        /// ysfw.mot.gov.cn
        Web = "web", "网站", "website";
        /// 道路运政一网通办
        MiniProgram = "mini-program", "小程序", "mini program";
        /// 道运通
        App = "app", "App", "mobile app";
        /// The ministry's WeChat account.
        Wechat = "wechat", "微信公众号", "WeChat account";
        /// The national government-service platform.
        GovernmentPlatform = "government-platform", "国家政务服务平台", "national service platform";
        /// A province's own platform, handed on.
        ProvincialPlatform = "provincial-platform", "省级平台", "provincial platform";
    }
}
vocabulary! {
    /// The two clocks.
    Stage {
        /// Two working days from submission.
        Acceptance = "acceptance", "受理", "acceptance";
        /// Three working days from acceptance.
        Completion = "completion", "办结", "completion";
    }
}
vocabulary! {
    /// What an alert is about. One event's alert, one that is told when asked, or one of a province.
    AlertKind {
        /// Yellow: the due day is today or the next working day. Told when asked, not recorded.
        DueSoon = "due-soon", "即将到期", "due soon";
        /// Red.
        AcceptanceOverdue = "acceptance-overdue", "受理超期", "acceptance overdue";
        /// Red.
        CompletionOverdue = "completion-overdue", "办结超期", "completion overdue";
        /// 催办
        Urged = "urged", "催办", "urged";
        /// Five working days after the due day.
        SeriouslyOverdue = "seriously-overdue", "严重超期", "seriously overdue";
        /// 行政许可法 Art. 32(4).
        DeemedAccepted = "deemed-accepted", "视为受理", "deemed accepted";
        /// Forwarded, and no signed receipt came back for ten minutes. Told when asked.
        NothingCameBack = "nothing-came-back", "省级未签收", "nothing came back";
        /// A second, different decision.
        ConflictingDecision = "conflicting-decision", "决定前后矛盾", "conflicting decision";
        /// An operator must look.
        Parked = "parked", "暂停转办", "parked";
        /// A province's adapter neither fetches nor reports. Told when asked.
        AdapterSilent = "adapter-silent", "适配器失联", "adapter silent";
        /// Nothing is forwarded to a province: its adapter has no valid certificate. Told when asked.
        HeldBack = "held-back", "无有效证书暂缓转办", "held back: no valid certificate";
        /// What is not understood is only counted any more. Told when asked.
        QuarantineFull = "quarantine-full", "隔离区已满", "quarantine full";
    }
}
vocabulary! {
    /// How a completed case ended. Completion is not success.
    Outcome {
        /// 办理成功
        Approved = "approved", "通过", "approved";
        /// 不予通过
        Denied = "denied", "不予通过", "denied";
    }
}
vocabulary! {
    /// Why a province declines, returns, asks for correction or denies. Free text goes sealed.
    Reason {
        /// One of the four commonest.
        AssessmentNotDue = "assessment-not-due", "未到考核期", "assessment not due yet";
        /// One of the four commonest.
        RenewalNotDue = "renewal-not-due", "未到换证期", "renewal not due yet";
        /// One of the four commonest.
        EducationIncomplete = "education-incomplete", "继续教育学时不足", "too few hours of continuing education";
        /// One of the four commonest.
        DuplicateApplication = "duplicate-application", "重复提交", "duplicate application";
        /// 近期小二寸白底免冠照片
        PhotoUnacceptable = "photo-unacceptable", "照片不合格", "unacceptable photograph";
        /// Invalid, or its class no longer fits.
        LicenceInvalid = "licence-invalid", "驾驶证无效或准驾车型不符", "driving licence invalid or of another class";
        /// Within three years.
        MajorAccident = "major-accident", "三年内有重大以上交通责任事故", "major accident within three years";
        /// 63 since 2026-03-20.
        OverAge = "over-age", "超过年龄", "over the age limit";
        /// Cancelled, or more than 180 days past expiry.
        CertificateVoid = "certificate-void", "证件已注销或逾期超过180日", "certificate cancelled or expired for over 180 days";
        /// 行政许可法 Art. 32(2).
        NotThisAuthority = "not-this-authority", "不属于本机关职权范围", "not within this authority's powers";
        /// The certificate's and the person's particulars differ.
        DataMismatch = "data-mismatch", "人证信息不一致", "certificate and person do not match";
        /// 材料不齐
        MaterialsMissing = "materials-missing", "材料不齐全", "materials missing";
        /// None of these; the sealed text says which.
        Other = "other", "其他", "another reason";
    }
}
vocabulary! {
    /// A document a province may ask for in its one-time notice (行政许可法 Art. 32(4)).
    Material {
        /// 登记表
        RegistrationForm = "registration-form", "登记表", "registration form";
        /// 身份证
        IdentityCard = "identity-card", "身份证", "identity card";
        /// 机动车驾驶证
        DrivingLicence = "driving-licence", "机动车驾驶证", "driving licence";
        /// 照片
        Photo = "photo", "照片", "photograph";
        /// 原从业资格证
        OldCertificate = "old-certificate", "原从业资格证", "old certificate";
        /// 遗失声明
        LossStatement = "loss-statement", "遗失声明", "statement of loss";
        /// 继续教育证明
        EducationRecord = "education-record", "继续教育证明", "record of continuing education";
        /// 变更证明
        ProofOfChange = "proof-of-change", "变更证明", "proof of the change";
    }
}
vocabulary! {
    /// Why the clock may stand still (行政许可法 Art. 45).
    SuspensionGround {
        /// 听证
        Hearing = "hearing", "听证", "hearing";
        /// 检验、检测
        Examination = "examination", "检验检测", "inspection and testing";
        /// 专家评审
        ExpertReview = "expert-review", "专家评审", "expert review";
    }
}
vocabulary! {
    /// The grades of an integrity assessment. The province awards them; the hub computes none.
    Grade {
        /// 优良
        Aaa = "AAA", "优良", "excellent (AAA)";
        /// 合格
        Aa = "AA", "合格", "good (AA)";
        /// 基本合格
        A = "A", "基本合格", "sufficient (A)";
        /// 不合格
        B = "B", "不合格", "insufficient (B)";
    }
}
vocabulary! {
    /// 好差评, five grades.
    Rating {
        /// 非常满意
        VerySatisfied = "very-satisfied", "非常满意", "very satisfied";
        /// 满意
        Satisfied = "satisfied", "满意", "satisfied";
        /// 基本满意
        Fair = "fair", "基本满意", "fairly satisfied";
        /// 不满意
        Dissatisfied = "dissatisfied", "不满意", "dissatisfied";
        /// 非常不满意
        VeryDissatisfied = "very-dissatisfied", "非常不满意", "very dissatisfied";
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every entry as code, Chinese, English.
    fn all() -> Vec<(&'static str, &'static str, &'static str)> {
        macro_rules! entries {
            ($($name:ident),+) => {{
                let mut all = Vec::new();
                $(all.extend($name::ALL.iter().map(|it| (it.code(), it.zh(), it.en())));)+
                all
            }};
        }
        entries!(
            Item,
            Category,
            Channel,
            Stage,
            AlertKind,
            Outcome,
            Reason,
            Material,
            SuspensionGround,
            Grade,
            Rating
        )
    }

    #[test]
    fn every_code_has_words_in_both_languages() {
        for (code, zh, en) in all() {
            assert!(zh == "App" || zh.chars().all(|it| !it.is_ascii_lowercase()), "{code}: {zh}");
            assert!(en.is_ascii() && !en.trim().is_empty(), "{code}: {en}");
            // A code of several words is none of the reader's.
            assert!(!code.contains('-') || !en.contains(code), "{code}: {en}");
        }
    }
}
