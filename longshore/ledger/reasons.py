"""What reason codes mean, and what helps, where no attempt of an invocation tells its own cause."""

CAUSES = {
    "bad_signature": "Its signature fits none of our client secrets: it is not from Port, or the secret was replaced. "
    "During a rotation set PORT_CLIENT_SECRET_PREVIOUS.",
    "malformed": "Its message is not what Port sends.",
    "not_for_agent": "Port gave it out, but its invocation method is not set to use an agent. No other agent gets it.",
    "incomplete": "Port gave it out without what a delivery needs, or in a shape that cannot be read.",
    "too_large": "Its message is larger than MESSAGE_MAX_BYTES; it is still in Kafka.",
    "too_complex": "Its message has more than 131,072 values, and Port has not signed it as it stands, so it was not "
    "read; it is still in Kafka.",
    "unstorable": "Redis refused to store it several times; its message is still in Kafka.",
    "unexpected": "We could not make anything of it, which is a fault of ours; its message is still in Kafka.",
    "no_mapping": "No entry of the mapping file is enabled for it.",
    "mapping": "The mapping file could not make a request of it: try it with `longshore mapping test`.",
    "bad_url": "The URL that the mapping gives cannot be called: try it with `longshore mapping test`.",
    "revoked": "Somebody revoked its task in Flower before it was sent.",
    "worker_lost": "The worker that was sending it died: the target may have received it or not.",
    "poison": "Several workers died while sending it, so it is not tried any more.",
    "foreign": "What Redis had as its message does not belong to this record: somebody else writes there. Not sent.",
    "unsealable": "It was sealed with a client secret that the worker does not have: set PORT_CLIENT_SECRET_PREVIOUS.",
    "broken_record": "Somebody else has changed its keys in Redis, so it cannot be ended; each lapse tries it again.",
    "expired": "An earlier version gave it up because it had waited too long; this one does not. It can be requeued.",
}
