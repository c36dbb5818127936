"""Delivery: one attempt over HTTP, classified, and when the next one is due.

    sender = Sender(secret, timeout_s=30, total_s=300)          # one per process, shared by its threads
    outcome = sender.send(request, {"Idempotency-Key": run_id})
    exchange = sender.start(request, …)                         # or without waiting: an Exchange to be completed later
    step = next_step(outcome, attempt, age_s, DEFAULTS[kind], random.random())

This room promises that an attempt ends within its total deadline whatever the target does, that its `Outcome` never
says "not sent" of what may have been, and that the bytes signed are the bytes sent. What a delivery's records, leases
and reports are is for others.

The settings import from here: what brings an HTTP library (`Sender`, `Exchange`) is imported from its own module.
"""

from longshore.delivery.egress_policy import EgressPolicy, InternalService
from longshore.delivery.host_patterns import HostPatterns
from longshore.delivery.outcome import Fault, Outcome, Response, Verdict
from longshore.delivery.policy import DEFAULTS, Dead, Done, Park, RetryAfter, RetryPolicy, Step, next_step
from longshore.delivery.send_errors import BadHostPattern, BadUrl, Denied, Unsendable
from longshore.delivery.signature_headers import build_signature_headers
from longshore.delivery.target import lane_of, target_of

__all__ = [
    "DEFAULTS",
    "BadHostPattern",
    "BadUrl",
    "Dead",
    "Denied",
    "Done",
    "EgressPolicy",
    "Fault",
    "HostPatterns",
    "InternalService",
    "Outcome",
    "Park",
    "Response",
    "RetryAfter",
    "RetryPolicy",
    "Step",
    "Unsendable",
    "Verdict",
    "build_signature_headers",
    "lane_of",
    "next_step",
    "target_of",
]
