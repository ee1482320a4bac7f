"""Two offices to try the adapter with. A real one is a database or a web service; it answers the same questions.

An office is a function of the work and its opened personal part. It says what is to be told, in this
order, each with its wait; the store sees to it that each is told exactly once.
"""


def obedient(work, personal):
    """Does what a test case says (conformance.md, part 2). Only for an origin that begins with `sandbox.`."""
    if not work["origin"].startswith("sandbox."):
        raise SystemExit("the obedient office is for sandboxes only")
    told = ((personal or {}).get("applicant") or {}).get("conformance") or {}
    if told.get("v") != 1:
        return []
    return [_answer(work, it) for it in told.get("answers", [])]


def prompt(work, personal):
    """Takes everything and approves it at once: for a first try with a rehearsal hub."""
    if work["kind"] == "withdrawal":
        return []
    wanted = [{"kind": "accepted"}, {"kind": "completed", "outcome": "approved", "result": {}}]
    return [_answer(work, it) for it in wanted]


def _answer(work, wanted):
    news = {name: value for name, value in wanted.items() if name not in ("after_ms", "text")}
    # Our own numbers: the same again for the same case, and they say nothing about the person.
    if news["kind"] == "accepted":
        news["acceptance_number"] = f"受-{work['case'][:13]}"
    if news["kind"] == "completed":
        news["decision_number"] = f"决-{work['case'][:13]}"
    return {"news": news, "text": wanted.get("text"), "after_ms": wanted.get("after_ms", 0)}


OFFICES = {"obedient": obedient, "prompt": prompt}
