//! The zoo: adapters that are each broken in one way, so that the kit can be shown to name the defect.
//!
//! One small adapter over the raw wire ([`animal`]); a [`Defect`] says where it goes wrong. Without one it
//! is a good adapter, and the kit finds nothing.

pub mod animal;
mod believing;
pub mod bundle;
mod office;
pub mod outbox;
pub mod state;

macro_rules! defects {
    ($($variant:ident = $name:literal, $finding:literal, $scenario:literal, $says:literal;)+) => {
        /// What is wrong with an animal. Exactly one thing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // each has its sentence
        pub enum Defect { $($variant,)+ }

        impl Defect {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Its name on the command line and in the table.
            pub fn name(self) -> &'static str { match self { $(Self::$variant => $name),+ } }
            /// What the kit must call it.
            pub fn finding(self) -> &'static str { match self { $(Self::$variant => $finding),+ } }
            /// The scenario that shows it.
            pub fn scenario(self) -> &'static str { match self { $(Self::$variant => $scenario),+ } }
            /// What it does, in one sentence.
            pub fn says(self) -> &'static str { match self { $(Self::$variant => $says),+ } }
        }
    };
}

defects! {
    AcksBeforeDurable = "acks-before-durable", "acks-before-durable", "13-killed-while-taking-in", "acknowledges first and writes to disk a second later";
    AcksNothing = "acks-nothing", "never-acknowledges", "01-ordinary-walk", "handles everything and acknowledges nothing";
    AnswersTwice = "answers-twice", "answers-twice", "01-ordinary-walk", "tells each answer of the office as two reports";
    DecidesBeforeDelivery = "decides-before-delivery", "decides-before-delivery", "01-ordinary-walk", "signs for the work only after the decision";
    Backdates = "backdates", "backdates", "01-ordinary-walk", "puts the moment three days back";
    Postdates = "postdates", "postdates", "01-ordinary-walk", "puts the moment a day ahead";
    WrongProvince = "wrong-province", "wrong-province", "01-ordinary-walk", "speaks for its neighbour";
    WrongSignature = "wrong-signature", "wrong-signature", "01-ordinary-walk", "signs other bytes than it sends";
    Unsigned = "unsigned", "unsigned", "01-ordinary-walk", "leaves the header Signature out";
    WrongKeyId = "wrong-key-id", "unknown-key", "01-ordinary-walk", "names a key that nobody registered";
    WrongPurpose = "wrong-purpose", "wrong-purpose", "01-ordinary-walk", "signs reports as if they were work";
    ForgetsAfterRestart = "forgets-after-restart", "forgets-after-restart", "12-killed-at-every-step", "keeps everything in memory";
    LosesReports = "loses-reports", "loses-reports-in-restart", "14-killed-without-receipts", "keeps the inbox on disk and the outbox in memory";
    ReusesNumbers = "reuses-numbers", "reuses-numbers", "01-ordinary-walk", "gives every report of a case the number 1";
    SkipsNumbers = "skips-numbers", "skips-numbers", "01-ordinary-walk", "counts 1, 3, 5";
    GbkAsUtf8 = "gbk-as-utf8", "text-not-utf8", "05-correction", "passes the office's GBK bytes on as UTF-8";
    GarblesText = "garbles-text", "garbles-text", "05-correction", "replaces rare characters by question marks";
    LosesText = "loses-text", "loses-text", "05-correction", "drops the text for the applicant";
    TextInWrongContext = "text-in-wrong-context", "text-does-not-open", "05-correction", "seals the text without its associated data";
    Floods = "floods", "floods", "11-receipts-lost", "sends every report forty times over";
    NeverReportsAcceptance = "never-reports-acceptance", "never-reports-acceptance", "01-ordinary-walk", "keeps acceptances to itself";
    NeverReportsDecision = "never-reports-decision", "never-reports-decision", "01-ordinary-walk", "keeps decisions to itself";
    NeverReportsDelivery = "never-reports-delivery", "never-signs-for-delivery", "26-slow-office", "signs for nothing";
    CompletesWithoutAcceptance = "completes-without-acceptance", "skips-acceptance", "01-ordinary-walk", "decides without having accepted";
    WrongDigest = "wrong-digest", "wrong-digest", "01-ordinary-walk", "makes a digest of its own";
    WrongOrigin = "wrong-origin", "wrong-origin", "01-ordinary-walk", "writes the name of its own environment";
    WrongSubject = "wrong-subject", "wrong-subject", "01-ordinary-walk", "publishes everything as `accepted`";
    WrongEnvelope = "wrong-envelope", "wrong-envelope", "01-ordinary-walk", "forgets to put the case into `subject`";
    IgnoresReceipts = "ignores-receipts", "ignores-receipts", "11-receipts-lost", "goes on sending what is receipted";
    InsistsOnRefused = "insists-on-refused", "insists-on-refused-reports", "25-refused-reports", "does not take a no for an answer";
    GivesUpResending = "gives-up-resending", "stops-before-receipt", "11-receipts-lost", "takes the broker's answer for a receipt";
    CrashesOnBadWork = "crashes-on-bad-work", "crashes", "20-malformed-and-oversize", "ends itself on a message that it cannot read";
    TripsOverUnknownFields = "trips-over-unknown-fields", "trips-over-unknown-fields", "17-unknown-fields", "refuses work with a field it does not know";
    IgnoresWithdrawal = "ignores-withdrawal", "answers-after-withdrawal", "08-withdrawal-in-flight", "takes a withdrawn case to completion";
    IgnoresCorrection = "ignores-correction", "answers-an-old-request", "05-correction", "answers the old request after a correction";
    AsksTwiceForCorrection = "asks-twice-for-correction", "answers-twice", "05-correction", "asks a second time for a correction";
    InventsAReason = "invents-a-reason", "not-a-report", "03-decline-with-every-reason", "writes a reason code of its own";
    ChangesTheReason = "changes-the-reason", "answers-something-else", "03-decline-with-every-reason", "calls every reason `other`";
    OversizeReport = "oversize-report", "too-large", "01-ordinary-walk", "puts an attachment into the report";
    NoMessageId = "no-message-id", "no-message-id", "01-ordinary-walk", "sends without Nats-Msg-Id";
    ReusesMessageIds = "reuses-message-ids", "reuses-message-ids", "11-receipts-lost", "repeats with the old message id";
    ChangesBytes = "changes-bytes", "changes-bytes-when-repeating", "11-receipts-lost", "writes and signs a report anew for each attempt";
    AcceptsLowerEpoch = "accepts-lower-epoch", "believes-old-epochs", "19-work-of-others", "takes work of a hub that was replaced";
    VerifiesNothing = "verifies-nothing", "believes-forged-work", "18-work-that-must-not-be-believed", "does not check the hub's signature";
    TakesOthersWork = "takes-others-work", "takes-work-of-others", "19-work-of-others", "does not look at the province";
    TakesOtherOrigins = "takes-other-origins", "takes-work-of-other-environments", "19-work-of-others", "does not look at the origin";
    OpensNothing = "opens-nothing", "signs-for-what-it-cannot-open", "20-malformed-and-oversize", "signs for work whose personal part it cannot open";
    OldKeyAfterRotation = "old-key-after-rotation", "signs-with-an-old-key", "23-keys-rotated", "remembers its first signing key for ever";
    StopsAfterReconnect = "stops-after-reconnect", "does-not-survive-broker-restart", "21-broker-restarts", "does nothing any more once the connection broke";
    SequenceAsCursor = "sequence-as-cursor", "does-not-survive-a-wiped-broker", "22-broker-wiped", "takes the stream's sequence for a cursor";
    DeduplicatesByMessageId = "deduplicates-by-message-id", "takes-copies-for-new", "09-copies", "knows a copy by its message id only";
    LeaksPersonalData = "leaks-personal-data", "leaks-personal-data", "01-ordinary-walk", "uses the identity number as acceptance number";
    OneNumberForAll = "one-number-for-all", "gives-one-number-twice", "09-copies", "gives every case the same acceptance number";
    SubscribesToWork = "subscribes-to-work", "needs-more-permissions", "01-ordinary-walk", "subscribes to the work subjects directly";
    NoVersion = "no-version", "no-adapter-version", "01-ordinary-walk", "does not say which adapter it is";
}

impl Defect {
    /// The one with this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }
}
