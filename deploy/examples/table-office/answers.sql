-- 经办系统这一侧的全部 SQL，以 hub_office 登录 / All that the office does, logged in as hub_office.

-- 1. 取件 / Fetch what is new. 取走后自行标记 / Mark it as fetched.
SELECT case_id, kind, case_number, item, category, due_day, applicant_name, identity_number, materials
  FROM hub_exchange.work_out WHERE fetched_at IS NULL ORDER BY written_at LIMIT 100;
UPDATE hub_exchange.work_out SET fetched_at = now()
  WHERE case_id = '01890a5d-ac96-774b-bcce-b302099a8057' AND kind = 'case';

-- 2. 受理 / Accept. 答复编号自编，一个答复一个编号 / The answer's id is yours; one id for one answer.
INSERT INTO hub_exchange.answer_in (answer_id, case_id, kind, occurred_at, acceptance_number)
  VALUES ('CC-2026-000001', '01890a5d-ac96-774b-bcce-b302099a8057', 'accepted', now(), '受-2026-1');

-- 3. 办结，通过 / Complete, approved.
INSERT INTO hub_exchange.answer_in
    (answer_id, case_id, kind, occurred_at, outcome, decision_number, valid_until)
  VALUES ('CC-2026-000002', '01890a5d-ac96-774b-bcce-b302099a8057', 'completed', now(),
    'approved', '决-2026-1', DATE '2032-03-20');

-- 4. 看回执 / What became of them. 未采用的改正后会重新读取 / A refused row is read again once it is mended.
SELECT answer_id, receipt_status, receipt_code, receipt_text FROM hub_exchange.answer_in
  WHERE receipt_status IS NULL OR receipt_status <> 'recorded' ORDER BY entered_at;
