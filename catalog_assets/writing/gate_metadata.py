"""What the gate said of a plan, for the metadata of what writes it."""

from resources.ledger.gate import Gate


def gate_metadata(gate: Gate, waiting: str) -> dict[str, str]:
    return {
        "plan_sha256": gate.plan_sha256,
        "waiting_for": waiting or "nothing",
        "decision": gate.decision.sentence if gate.decision else "none was needed" if not waiting else "none yet",
    }
