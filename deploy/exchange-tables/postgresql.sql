-- 前置库交换表 第1版 / Exchange tables in a province's front database, version 1
--
-- 由数据库管理员在前置库中执行一次：
--   psql -v ON_ERROR_STOP=1 -d exchange -f postgresql.sql
-- 数据库须为 UTF8 编码（GB2312/EUC_CN 库装不下人名用字，适配器会逐件指明）。客户端可用 GBK，由数据库转换。
-- Run once as the database's administrator. The database must be UTF8; clients may speak GBK.
--
-- 两个角色，权限最小 / Two roles, each with no more than it needs:
--   hub_adapter  适配器：写派件、读答复、写回执，不能删除，不能改答复内容
--   hub_office   经办系统：读派件、写取件标记、写答复、读回执，不能改回执，不能删除
-- 执行后请为两个角色设置口令（ALTER ROLE hub_adapter PASSWORD '…'），并在 pg_hba.conf 中只放行前置机。
-- 以【个人信息】注明的列属个人信息：磁盘宜加密，备份宜加密，传输经不可信网络时请用加密隧道；
-- 定期清理由管理员进行：只删受理期限已过且办件已办结的行。
-- Columns marked 【个人信息】 are personal data: encrypt the disk and the backups, use a tunnel across
-- networks that are not yours; the administrator removes old rows of completed cases, nobody else can.

BEGIN;

CREATE ROLE hub_adapter WITH LOGIN;
CREATE ROLE hub_office WITH LOGIN;

CREATE SCHEMA hub_exchange;
COMMENT ON SCHEMA hub_exchange IS '跨省通办中枢与本省经办系统的交换表';

CREATE TABLE hub_exchange.exchange_version (
  version integer NOT NULL
);
COMMENT ON TABLE hub_exchange.exchange_version IS '交换表的版本，适配器启动时核对；一行';
COMMENT ON COLUMN hub_exchange.exchange_version.version IS '版本号';
INSERT INTO hub_exchange.exchange_version VALUES (1);

-- 派件：适配器写，经办系统读 / Work: the adapter writes, the office reads
CREATE TABLE hub_exchange.work_out (
  case_id varchar(36) NOT NULL,
  request_id varchar(36) NOT NULL,
  kind varchar(64) NOT NULL,
  case_number varchar(64) NOT NULL,
  item varchar(64) NOT NULL,
  category varchar(64) NOT NULL,
  channel varchar(64) NOT NULL,
  authority_code varchar(64),
  authority_name varchar(64) NOT NULL,
  authority_division varchar(6),
  submitted_at timestamptz NOT NULL,
  due_day date NOT NULL,
  due_provisional varchar(4) NOT NULL,
  applicant_name varchar(64),
  identity_number varchar(32),
  phone varchar(32),
  certificate_number varchar(32),
  materials text,
  remarks text,
  personal_json text,
  written_at timestamptz NOT NULL DEFAULT now(),
  fetched_at timestamptz,
  PRIMARY KEY (case_id, request_id, kind)
);

COMMENT ON TABLE hub_exchange.work_out IS '派件表：中枢派给本省的办件、补正材料和撤回，每项恰好一行，写入后不变';
COMMENT ON COLUMN hub_exchange.work_out.case_id IS '办件标识：全国唯一；答复时原样填写';
COMMENT ON COLUMN hub_exchange.work_out.request_id IS '请求标识：一次派件或一次补正；与办件标识、任务种类一起唯一';
COMMENT ON COLUMN hub_exchange.work_out.kind IS '任务种类：case 办件、correction 补正材料、withdrawal 申请人撤回；可用对照表换成本地代码';
COMMENT ON COLUMN hub_exchange.work_out.case_number IS '办件编号：给人看的编号';
COMMENT ON COLUMN hub_exchange.work_out.item IS '事项：补发、换发、变更、注销、诚信考核之一的代码';
COMMENT ON COLUMN hub_exchange.work_out.category IS '从业资格类别：旅客、普货、危货之一的代码';
COMMENT ON COLUMN hub_exchange.work_out.channel IS '申请渠道：代码';
COMMENT ON COLUMN hub_exchange.work_out.authority_code IS '发证机关代码：对照表换成的本地代码；没有对照表时为统一社会信用代码或名称';
COMMENT ON COLUMN hub_exchange.work_out.authority_name IS '发证机关名称：证件上的名称';
COMMENT ON COLUMN hub_exchange.work_out.authority_division IS '发证机关行政区划：六位代码，可为空';
COMMENT ON COLUMN hub_exchange.work_out.submitted_at IS '申请时间：申请人在全国系统提交的时刻';
COMMENT ON COLUMN hub_exchange.work_out.due_day IS '受理期限：当日24时（北京时间）以前须决定是否受理';
COMMENT ON COLUMN hub_exchange.work_out.due_provisional IS '期限暂定：是：跨入尚未公布放假安排的年份';
COMMENT ON COLUMN hub_exchange.work_out.applicant_name IS '姓名：【个人信息】撤回时为空';
COMMENT ON COLUMN hub_exchange.work_out.identity_number IS '证件号码：【个人信息】公民身份号码';
COMMENT ON COLUMN hub_exchange.work_out.phone IS '电话：【个人信息】';
COMMENT ON COLUMN hub_exchange.work_out.certificate_number IS '从业资格证号：【个人信息】许多省份即公民身份号码';
COMMENT ON COLUMN hub_exchange.work_out.materials IS '材料清单：【个人信息】种类=附件编号#SHA256，多项以分号隔开';
COMMENT ON COLUMN hub_exchange.work_out.remarks IS '备注：【个人信息】';
COMMENT ON COLUMN hub_exchange.work_out.personal_json IS '申请内容原文：【个人信息】全国系统送来的原文（JSON），以上各列由它而来';
COMMENT ON COLUMN hub_exchange.work_out.written_at IS '写入时间：适配器写入的时刻';
COMMENT ON COLUMN hub_exchange.work_out.fetched_at IS '取件时间：经办系统取走后自行填写，只作参考';

-- 答复：经办系统写，适配器读并写回执 / Answers: the office writes, the adapter reads and gives receipts
CREATE TABLE hub_exchange.answer_in (
  answer_id varchar(64) NOT NULL,
  case_id varchar(36),
  kind varchar(64),
  occurred_at timestamptz,
  acceptance_number varchar(64),
  outcome varchar(64),
  decision_number varchar(64),
  reasons varchar(2000),
  missing varchar(2000),
  until date,
  division varchar(64),
  ground varchar(64),
  grade varchar(64),
  valid_until date,
  certificate_id varchar(64),
  next_due date,
  text varchar(4000),
  entered_at timestamptz NOT NULL DEFAULT now(),
  receipt_status varchar(16),
  receipt_code varchar(64),
  receipt_text varchar(500),
  receipt_at timestamptz,
  receipt_mark varchar(64),
  report_id varchar(36),
  PRIMARY KEY (answer_id)
);

COMMENT ON TABLE hub_exchange.answer_in IS '答复表：经办系统的每个答复一行；取走后不得改动，更正须用新的答复编号';
COMMENT ON COLUMN hub_exchange.answer_in.answer_id IS '答复编号：经办系统自编，唯一，可见ASCII字符，不得含个人信息；同一编号只取一次';
COMMENT ON COLUMN hub_exchange.answer_in.case_id IS '办件标识：原样填写收到的办件标识';
COMMENT ON COLUMN hub_exchange.answer_in.kind IS '答复种类：accepted 受理、declined 不予受理、correction-requested 补正告知、returned 退回、suspended 特别程序开始、resumed 特别程序结束、completed 办结、certificate-issued 证照已制发、nothing-new 无须报告；可用本地代码';
COMMENT ON COLUMN hub_exchange.answer_in.occurred_at IS '发生时间：决定作出的时刻';
COMMENT ON COLUMN hub_exchange.answer_in.acceptance_number IS '受理编号：受理时必填；不得含个人信息';
COMMENT ON COLUMN hub_exchange.answer_in.outcome IS '办理结果：办结时必填：approved 通过、denied 不予通过；可用本地代码';
COMMENT ON COLUMN hub_exchange.answer_in.decision_number IS '决定书编号：办结时必填；不得含个人信息';
COMMENT ON COLUMN hub_exchange.answer_in.reasons IS '原因：原因代码，多项以分号隔开；不予受理、退回时一项，不予通过时至少一项';
COMMENT ON COLUMN hub_exchange.answer_in.missing IS '缺少材料：补正告知时必填：材料代码，多项以分号隔开，须一次列全';
COMMENT ON COLUMN hub_exchange.answer_in.until IS '补正期限：补正告知时必填';
COMMENT ON COLUMN hub_exchange.answer_in.division IS '档案所在行政区划：退回时如知道档案现在何处则填';
COMMENT ON COLUMN hub_exchange.answer_in.ground IS '特别程序依据：特别程序开始时必填：hearing 听证、examination 检验检测、expert-review 专家评审；可用本地代码';
COMMENT ON COLUMN hub_exchange.answer_in.grade IS '诚信等级：诚信考核办结时填 AAA、AA、A、B；可用本地代码';
COMMENT ON COLUMN hub_exchange.answer_in.valid_until IS '有效期至：发证时填';
COMMENT ON COLUMN hub_exchange.answer_in.certificate_id IS '电子证照编号：证照已制发时必填；不得含个人信息';
COMMENT ON COLUMN hub_exchange.answer_in.next_due IS '下次考核日期：诚信考核办结时填';
COMMENT ON COLUMN hub_exchange.answer_in.text IS '告知申请人：【个人信息】密封后送达申请人，中枢看不到';
COMMENT ON COLUMN hub_exchange.answer_in.entered_at IS '登记时间：自动填写，按此顺序取走';
COMMENT ON COLUMN hub_exchange.answer_in.receipt_status IS '回执状态：空：尚未取走；taken 已取走；recorded 中枢已记录；refused 未采用，改正后会重新读取；changed 取走后被改动，改动未处理；hub-refused 中枢没有采纳';
COMMENT ON COLUMN hub_exchange.answer_in.receipt_code IS '回执代码：未采用时的稳定代码';
COMMENT ON COLUMN hub_exchange.answer_in.receipt_text IS '回执说明：给人看的说明';
COMMENT ON COLUMN hub_exchange.answer_in.receipt_at IS '回执时间：回执最后一次变化的时刻';
COMMENT ON COLUMN hub_exchange.answer_in.receipt_mark IS '取走时的内容标记：适配器用来发现取走后的改动';
COMMENT ON COLUMN hub_exchange.answer_in.report_id IS '报告标识：由此答复产生的报告';

CREATE INDEX work_out_unfetched ON hub_exchange.work_out (written_at) WHERE fetched_at IS NULL;
CREATE INDEX answer_in_new ON hub_exchange.answer_in (entered_at, answer_id) WHERE receipt_status IS NULL;
CREATE INDEX answer_in_receipt_at ON hub_exchange.answer_in (receipt_at);

-- 权限 / Privileges
REVOKE ALL ON SCHEMA hub_exchange FROM PUBLIC;
GRANT USAGE ON SCHEMA hub_exchange TO hub_adapter, hub_office;
GRANT SELECT ON hub_exchange.exchange_version TO hub_adapter, hub_office;
GRANT SELECT, INSERT ON hub_exchange.work_out TO hub_adapter;
GRANT SELECT ON hub_exchange.answer_in TO hub_adapter;
GRANT UPDATE (receipt_status, receipt_code, receipt_text, receipt_at, receipt_mark, report_id)
  ON hub_exchange.answer_in TO hub_adapter;
GRANT SELECT, UPDATE (fetched_at) ON hub_exchange.work_out TO hub_office;
GRANT SELECT ON hub_exchange.answer_in TO hub_office;
GRANT INSERT (answer_id, case_id, kind, occurred_at, acceptance_number, outcome, decision_number, reasons, missing, until, division, ground, grade, valid_until, certificate_id, next_due, text)
  ON hub_exchange.answer_in TO hub_office;
GRANT UPDATE (case_id, kind, occurred_at, acceptance_number, outcome, decision_number, reasons, missing, until, division, ground, grade, valid_until, certificate_id, next_due, text)
  ON hub_exchange.answer_in TO hub_office;

COMMIT;

-- 升级 / Upgrading: 以后的版本另附 upgrade-1-to-2.sql；本文件不对已有的表做任何改动，重复执行会整体失败而不留痕迹。
-- A later version brings upgrade-1-to-2.sql. This file changes nothing that exists: run twice, it fails as a whole.
