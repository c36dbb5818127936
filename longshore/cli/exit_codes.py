"""Exit codes: what each means, and which a command may end with. docs/reference/cli.md is written from this."""

from longshore.errors import EX_CONFIG

DONE, FAILED, USAGE, NOT_FOUND, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130
SKIPPED = NOT_FOUND
"""The same for `mapping test`: nothing in the mapping matches the message."""

MEANING = {
    DONE: "done",
    FAILED: "something failed: Redis is away, a canary was not delivered, or what was checked is not in order",
    USAGE: "wrong usage",
    NOT_FOUND: "no match",
    REFUSED: "found, but refused: not confirmed, more than `--cap`, or it cannot be sent",
    EX_CONFIG: "a setting is wrong; standard error lists all that are",
    INTERRUPTED: "interrupted with Ctrl-C",
}
"""What each code means, unless a command says otherwise."""

_PROGRAM = {DONE: "ended as it was told to", FAILED: "it could not go on", EX_CONFIG: MEANING[EX_CONFIG]}
_LOOK = {DONE: "shown, also where there is nothing", FAILED: "Redis is away", EX_CONFIG: MEANING[EX_CONFIG]}
_FIND = {**_LOOK, DONE: "shown", NOT_FOUND: "no such invocation"}
_CHANGE = {DONE: "done", FAILED: "Redis is away", EX_CONFIG: MEANING[EX_CONFIG]}
_MANY = {**_CHANGE, NOT_FOUND: MEANING[NOT_FOUND], REFUSED: MEANING[REFUSED]}
_JOB = {
    FAILED: "Redis is away, or one of the canary was not delivered",
    INTERRUPTED: "Ctrl-C while waiting for the job, which goes on",
}

EXITS: dict[str, dict[int, str]] = {
    "run": _PROGRAM,
    "ingest": _PROGRAM,
    "worker": _PROGRAM,
    "flower": _PROGRAM,
    "config check": {DONE: "all settings are right", EX_CONFIG: MEANING[EX_CONFIG]},
    "ca show": {DONE: "shown", EX_CONFIG: "a bundle that was named cannot be used"},
    "dlq list": _LOOK,
    "dlq requeue": {**_MANY, **_JOB},
    "dlq export": _LOOK,
    "dlq purge": _MANY,
    "jobs list": _LOOK,
    "jobs pause": {**_CHANGE, NOT_FOUND: "no such job"},
    "jobs resume": {**_CHANGE, **_JOB, NOT_FOUND: "no such job"},
    "show": _FIND,
    "status": _LOOK,
    "targets list": _LOOK,
    "targets pause": _CHANGE,
    "targets resume": _CHANGE,
    "targets limit": _CHANGE,
    "audit": {DONE: "it adds up", FAILED: "it does not add up, or Redis is away", EX_CONFIG: MEANING[EX_CONFIG]},
    "rebuild": {
        DONE: "all of it was read",
        FAILED: "Kafka or Redis went away, or it was interrupted; it can be started again",
        REFUSED: "not confirmed",
        EX_CONFIG: MEANING[EX_CONFIG],
    },
    "drain": {
        DONE: "nothing is left but what is exported, and all is committed; with `--dry-run`: shown",
        FAILED: "Redis, Kafka or Port is away, or the file cannot be written",
        REFUSED: "something is left that is not exported, or not committed; intake stays stopped",
        INTERRUPTED: "Ctrl-C while waiting; intake stays stopped",
        EX_CONFIG: MEANING[EX_CONFIG],
    },
    "drill": {
        DONE: "all is accounted for; without `--yes`: it may be done",
        FAILED: "something is lost, not all had ended in time, or Redis is away",
        NOT_FOUND: "no such worker",
        REFUSED: "too few workers, another drill, a target that is paused or broken, or a ledger that does not add up",
        INTERRUPTED: "ended by Ctrl-C, SIGTERM or SIGHUP; the target is resumed",
        EX_CONFIG: MEANING[EX_CONFIG],
    },
    "health": {DONE: "it is", FAILED: "it is not, or nobody answers", EX_CONFIG: MEANING[EX_CONFIG]},
    "doctor": {DONE: "nothing is broken; there may be warnings", FAILED: "something is broken"},
    "notify test": {
        DONE: "each URL took the message",
        FAILED: "one did not",
        NOT_FOUND: "NOTIFY_URLS is empty",
        EX_CONFIG: MEANING[EX_CONFIG],
    },
    "mapping test": {
        DONE: "it would be sent",
        FAILED: "it would fail before that",
        SKIPPED: "it would be skipped: no mapping is enabled for it, or it is not for the agent",
        EX_CONFIG: "the mapping or a setting is wrong",
    },
    "shadow": {
        DONE: "ended with Ctrl-C, or with `--once` at the end of the topics",
        FAILED: "Kafka refuses it, or the file cannot be written to; started again, it continues",
        EX_CONFIG: MEANING[EX_CONFIG],
    },
    "shadow record": {
        DONE: "ended with Ctrl-C",
        FAILED: "the file cannot be written to",
        EX_CONFIG: "a setting, the CA or the address to listen at is wrong",
    },
    "shadow diff": {
        DONE: "all are alike, or what differs is explained",
        FAILED: "some differ, there is nothing to compare, or a file is none of ours",
    },
    "sandbox run": {DONE: "ended with Ctrl-C", FAILED: "the sandbox could not go on"},
    "sandbox demo": {
        DONE: "each ended as it should",
        FAILED: "one did not, or the sandbox could not go on",
        INTERRUPTED: "interrupted before it was known",
    },
}
"""Command → the codes it ends with besides `USAGE`, which all have."""
