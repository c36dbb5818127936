"""Every event that a program may log: its name, level and meaning, and for warnings and errors what to do.

`docs/reference/logging.md` is made of this table. A name is fixed, as people search and alert on it; what varies goes
into the fields of a line.
"""

from longshore.log.event_log import Event, OutageEvents

AUDIT_MISMATCH = Event(
    "audit.mismatch",
    "error",
    "What was read from Kafka and what the ledger knows of it do not add up.",
    "Run `longshore audit`; see the runbook page LongshoreUnaccounted.",
)

CA_BUNDLE_ASSEMBLED = Event(
    "ca_bundle.assembled", "info", "The bundle of public and mounted CA certificates was written."
)
CA_BUNDLE_SKIPPED = Event(
    "ca_bundle.skipped",
    "warning",
    "A file, or a certificate in it, was left out of the bundle.",
    "Correct or remove the file that `path` names.",
)
CA_BUNDLE_LEFT_EMPTY = Event(
    "ca_bundle.left_empty",
    "warning",
    "Neither public nor mounted CA certificates were found, so no bundle was written.",
    "Install the system's `ca-certificates`, or mount certificates in LONGSHORE_CA_DIR.",
)
CA_BUNDLE_WRITE_FAILED = Event(
    "ca_bundle.write_failed",
    "warning",
    "The bundle could not be written safely; only public CAs are trusted.",
    "Name a file with LONGSHORE_CA_BUNDLE that only the agent's user can write.",
)
CA_BUNDLE_SSL_CERT_FILE_REJECTED = Event(
    "ca_bundle.ssl_cert_file_rejected",
    "warning",
    "The file that SSL_CERT_FILE names cannot be used.",
    "Correct SSL_CERT_FILE, or unset it.",
)

CELERY_PUBLISH_FAILED = Event(
    "celery.publish_failed",
    "warning",
    "Tasks could not be put into Celery's list; their claims lapse and are dispatched again.",
    "Nothing if it passes; otherwise look whether Redis is reachable and has memory.",
)
CELERY_RELEASE_FAILED = Event(
    "celery.release_failed", "debug", "The connection of a failed publisher could not be closed."
)
CELERY_EVENTS_DROPPED = Event(
    "celery.events_dropped", "debug", "Flower could not be told of some tasks; only its rows of them are behind."
)
CELERY_MESSAGE_DROPPED = Event(
    "celery.message_dropped",
    "error",
    "Something in Celery's list at Redis is no message, or holds no claim of ours; it was dropped.",
    "Find out who else writes to this Redis.",
)

CHILD_STARTED = Event("child.started", "info", "`longshore run` started a program.")
CHILD_STOPPED = Event("child.stopped", "info", "A program ended after it was asked to.")
CHILD_DIED = Event(
    "child.died",
    "error",
    "A program ended by itself and is started again.",
    "See the lines of that program before this one; `ended` has its exit code or signal.",
)
CHILD_KILLED = Event(
    "child.killed",
    "warning",
    "A program did not end within its grace period and was killed.",
    "If it recurs, raise the grace period above the longest request timeout.",
)
CHILD_REPLACED = Event(
    "child.replaced",
    "error",
    "A program that runs but no longer works was ended, and is started again.",
    "See the runbook page LongshoreNotAlive.",
)
CHILD_CHECK_FAILED = Event(
    "child.check_failed",
    "error",
    "A program could not be started or looked after now; it is tried again.",
    "Look for exhausted memory, processes or disk space on this machine.",
)

CONFIG_ADVICE_GIVEN = Event(
    "config.advice_given",
    "warning",
    "The settings are valid but probably not what was meant.",
    "Follow `text`.",
)

CREDENTIAL_FETCHED = Event("credential.fetched", "debug", "A token server gave an access token for targets.")
CREDENTIAL_FETCH_FAILED = Event(
    "credential.fetch_failed",
    "warning",
    "There is no access token for targets; attempts that need it are put off as failed ones are.",
    "See `problem`; the secret file is read again at each fetch. `longshore doctor --tokens` tries it at once.",
)
CREDENTIAL_REFUSED = Event(
    "credential.refused",
    "warning",
    "A token server refused to give an access token; `detail` is what it says about it.",
    "Correct what it names: docs/how-to/target-credentials.md has what is usual.",
)
CREDENTIAL_EXPOSED = Event(
    "credential.exposed",
    "warning",
    "The `token_url` that `place` has is an http:// one: whoever is on the way can read the client's secret.",
    "Give its https:// address.",
)
CREDENTIAL_READ_FAILED = Event(
    "credential.read_failed",
    "warning",
    "The file of a credential for targets was changed and cannot be read; the credential from before is used.",
    "Make the file that `path` names readable for the agent's user.",
)
CREDENTIAL_REPLACED = Event(
    "credential.replaced",
    "info",
    "A target did not take a credential (401); the request is sent once more with a fresh one.",
)

DASHBOARD_CHANGE_REFUSED = Event(
    "dashboard.change_refused",
    "warning",
    "A user of Flower asked for a change that their `role`, or read-only mode, does not allow.",
    "If they should be able to, add them to FLOWER_OPERATORS.",
)
DASHBOARD_CHANGE_REQUESTED = Event(
    "dashboard.change_requested",
    "info",
    "A user of Flower, `actor` with `role`, asked for a change: by a page, the JSON API or Flower's own API.",
)
DASHBOARD_LOGIN_ACCEPTED = Event(
    "dashboard.login_accepted", "info", "Somebody logged in to Flower by FLOWER_OIDC_ISSUER: `actor` with `role`."
)
DASHBOARD_LOGIN_REFUSED = Event(
    "dashboard.login_refused",
    "warning",
    "A login by FLOWER_OIDC_ISSUER failed, or its user may not enter: `problem`.",
    "`problem` says what to change: at the provider, in FLOWER_AUTH, or in FLOWER_OPERATORS and FLOWER_VIEWERS.",
)
DASHBOARD_REQUEST_FAILED = Event(
    "dashboard.request_failed", "info", "A page was not answered: Redis was away or the request was invalid."
)

DEAD_LETTERS_EXPIRING = Event(
    "dead_letters.expiring",
    "warning",
    "Dead letters or unknown outcomes will be deleted within a day, or soon exceed their number.",
    "Requeue or export them (`longshore dlq`), or raise KEEP_DEAD_S and KEEP_DEAD_COUNT.",
)
DEAD_LETTERS_DROPPED = Event(
    "dead_letters.dropped",
    "warning",
    "Dead letters or unknown outcomes were deleted: too old, or too many.",
    "Raise KEEP_DEAD_S and KEEP_DEAD_COUNT if they were needed.",
)

DELIVERY_ATTEMPTED = Event(
    "delivery.attempted", "info", "One HTTP request to a target, its outcome and what happens next."
)
DELIVERY_REDIRECTED = Event(
    "delivery.redirected",
    "warning",
    "The target answered with a redirect.",
    "Write the final URL into the mapping.",
)
DELIVERY_DEFERRED = Event(
    "delivery.deferred", "info", "The mapping now gives another target, whose limits have to be asked first."
)
DELIVERY_DECLINED = Event(
    "delivery.declined",
    "warning",
    "This worker cannot read what another version wrote, and leaves the claim to other workers.",
    "Nothing during an upgrade; afterwards start workers of the version that wrote it.",
)
DELIVERY_MESSAGE_OUTDATED = Event(
    "delivery.message_outdated", "debug", "A Celery message came for a claim that is no longer valid; ignored."
)
DELIVERY_START_FAILED = Event(
    "delivery.start_failed",
    "warning",
    "Redis did not answer before the request was sent; the lease lapses and it is dispatched again.",
    "Nothing if it passes; otherwise look after Redis.",
)
DELIVERY_RELEASED = Event("delivery.released", "info", "A claim was given back without an attempt.")
DELIVERY_RESULT_STORE_RETRIED = Event(
    "delivery.result_store_retried",
    "warning",
    "The result of an attempt cannot be stored, as Redis is away; the worker tries until it can.",
    "Bring Redis back, and do not kill the worker meanwhile.",
)
DELIVERY_RESULT_SUPERSEDED = Event(
    "delivery.result_superseded",
    "warning",
    "The result came after the lease had lapsed; what the ledger had decided by then holds.",
    "If it recurs, look for a worker that stalls, or a clock that jumps.",
)
DELIVERY_POISON_DETECTED = Event(
    "delivery.poison_detected",
    "error",
    "An invocation ended the process in which it was tried alone; it is a dead letter.",
    "Look at its payload, mapping and answer before you requeue it; `ended` says how the process ended.",
)
DELIVERY_CRASHED = Event(
    "delivery.crashed",
    "error",
    "A fault of the agent broke off an attempt; what is certain of it decides how it ends.",
    "Report it, with `error` and `at`.",
)
DELIVERY_RECORD_BROKEN = Event(
    "delivery.record_broken",
    "error",
    "Somebody else has changed the keys of an invocation in Redis; its lease lapses, and no other is held up.",
    "Find out who writes to Redis, and mend what `error` names: the runbook page LongshoreUnaccounted says how.",
)
DELIVERY_WATCHDOG_FAILED = Event(
    "delivery.watchdog_failed",
    "error",
    "A fault of the agent kept a request from being cut off at its total deadline.",
    "Report it, with `error` and `at`.",
)
DELIVERY_REVOKED = Event(
    "delivery.revoked",
    "warning",
    "An operator revoked the task in Flower; the invocation is a dead letter.",
    "Requeue it if that was not meant.",
)

FLOWER_STARTED = Event("flower.started", "info", "Flower begins to serve its pages at `url`.")

INGEST_STARTED = Event("ingest.started", "info", "Ingest begins to read Kafka, or to poll Port.")
INGEST_STOPPED = Event("ingest.stopped", "info", "Ingest ended in order.")
INGEST_FAILED = Event(
    "ingest.failed",
    "error",
    "A fault of the agent ended ingest; nothing that was not stored is committed.",
    "Report it, with `error` and `at`; whoever started it starts it again.",
)
INGEST_GIVEN_UP = Event(
    "ingest.given_up",
    "error",
    "Port has refused or failed all polls for POLLING_MAX_FAILURE_DURATION_SECONDS; ingest ends with exit code 1.",
    "`longshore doctor` tries Port with our credentials; whoever started ingest starts it again.",
)
INGEST_OLDER_RECORDS_SKIPPED = Event(
    "ingest.older_records_skipped",
    "warning",
    "A group without commits will ignore what was published before its first assignment.",
    "Set KAFKA_CONSUMER_AUTO_OFFSET_RESET=earliest if those are wanted.",
)
INGEST_DEAD_LETTERED = Event(
    "ingest.dead_lettered",
    "warning",
    "A message from Kafka cannot be delivered as it is; it was stored as a dead letter.",
    "See its `reason` in the reference of reason codes.",
)
INGEST_SKIPPED = Event(
    "ingest.skipped",
    "warning",
    "Messages from Kafka were not what Port sends an agent, and were left alone; once for each reason of a batch.",
    "See its `reason` in the reference of reason codes, and the message at `first`.",
)
INGEST_OTHERS_SKIPPED = Event(
    "ingest.others_skipped", "debug", "Messages from Kafka are not for this agent; once for each reason of a batch."
)
INGEST_PREPARATION_FAILED = Event(
    "ingest.preparation_failed",
    "error",
    "A fault of the agent kept a message from being prepared; it becomes a dead letter.",
    "Report it, with `error` and `origin`.",
)
INGEST_WRITE_REFUSED = Event(
    "ingest.write_refused",
    "error",
    "Redis answered the storing of one message with an error; it becomes a dead letter if that recurs.",
    "Look at the memory and the log of Redis.",
)
INGEST_ID_REPEATED = Event(
    "ingest.id_repeated",
    "warning",
    "A message has the id of one from another place in Kafka; it was not stored a second time.",
    "Nothing, unless somebody else publishes to Port's topics.",
)
INGEST_BATCH_STORED = Event("ingest.batch_stored", "debug", "A batch of messages is in the ledger.")
INGEST_PARTITION_HELD = Event("ingest.partition_held", "debug", "A partition waits, as its commit has no room.")
INGEST_PARTITION_RELEASED = Event("ingest.partition_released", "debug", "A partition that waited goes on.")
INGEST_PAUSED = Event(
    "ingest.paused",
    "warning",
    "Reading is paused: enough waits, Redis is nearly full, or an operator has stopped it. Kafka keeps the rest.",
    "See the runbook page LongshoreIngestPaused.",
)
INGEST_RESUMED = Event("ingest.resumed", "info", "Reading goes on after a pause.")

INVOCATION_DECRYPTION_FAILED = Event(
    "invocation.decryption_failed",
    "warning",
    "An encrypted value could not be decrypted and is sent as it came.",
    "Look whether PORT_CLIENT_SECRET is the one with which Port encrypted it.",
)
INVOCATION_BINDING_MISMATCHED = Event(
    "invocation.binding_mismatched",
    "error",
    "A sealed payload belongs to another invocation; it was not sent and is a dead letter.",
    "Find out who else writes to this Redis.",
)
INVOCATION_FORMAT_UNSUPPORTED = Event(
    "invocation.format_unsupported",
    "warning",
    "No running worker reads what another version wrote; those invocations wait.",
    "Start a worker of that version; see how to upgrade.",
)

ISOLATION_PROCESS_FAILED = Event(
    "isolation.process_failed",
    "warning",
    "There was no process to try a suspect alone in; it is deferred.",
    "Look for exhausted memory or processes on this machine.",
)

KAFKA_ASSIGNED = Event("kafka.assigned", "info", "The group gave this consumer partitions.")
KAFKA_REVOKED = Event("kafka.revoked", "info", "The group took partitions from this consumer.")
KAFKA_OUTAGE_STARTED = Event(
    "kafka.outage_started",
    "warning",
    "No Kafka broker answers; reading goes on once one does.",
    "Nothing if it passes; otherwise `longshore doctor` says what it can reach.",
)
KAFKA_OUTAGE_CONTINUED = Event("kafka.outage_continued", "debug", "Still no Kafka broker answers.")
KAFKA_OUTAGE_ENDED = Event("kafka.outage_ended", "info", "A Kafka broker answers again.")
KAFKA_OUTAGE = OutageEvents(KAFKA_OUTAGE_STARTED, KAFKA_OUTAGE_CONTINUED, KAFKA_OUTAGE_ENDED)
KAFKA_ERROR_REPORTED = Event(
    "kafka.error_reported",
    "warning",
    "librdkafka reported an error; each is logged once until the next assignment.",
    "See `code` in the documentation of librdkafka; `longshore doctor` tries the connection.",
)
KAFKA_ERROR_IGNORED = Event("kafka.error_ignored", "debug", "librdkafka reported an error that it mends by itself.")
KAFKA_LOGIN_REFUSED = Event(
    "kafka.login_refused",
    "warning",
    "Kafka refused the credentials; Port is asked for them again.",
    "Nothing if it passes; otherwise look whether Port still serves this organization's Kafka.",
)
KAFKA_CERTIFICATES_CHANGED = Event(
    "kafka.certificates_changed", "info", "Other CA certificates are trusted than before: the consumer is recreated."
)
KAFKA_FETCH_STALLED = Event(
    "kafka.fetch_stalled",
    "warning",
    "librdkafka fetches nothing, though Kafka answers: the consumer is recreated.",
    "Nothing if it passes; if it recurs, look after the network between ingest and the brokers.",
)
KAFKA_ASSIGN_FAILED = Event(
    "kafka.assign_failed",
    "warning",
    "librdkafka did not take the assignment.",
    "Nothing if it passes, as the group assigns again; if it recurs, restart ingest.",
)
KAFKA_PAUSE_FAILED = Event(
    "kafka.pause_failed",
    "warning",
    "Partitions could not be paused or resumed.",
    "Nothing if it passes; if it recurs, restart ingest.",
)
KAFKA_SEEK_FAILED = Event("kafka.seek_failed", "debug", "A partition cannot be read again now; it is tried once more.")
KAFKA_COMMIT_FAILED = Event(
    "kafka.commit_failed",
    "warning",
    "Kafka did not take a commit; what is stored is read again after a restart, and recognised.",
    "Look whether the group's ACLs allow commits.",
)
KAFKA_COMMIT_RETRIED = Event("kafka.commit_retried", "debug", "Kafka did not take a commit; the next one has it too.")
KAFKA_CLOSE_TIMED_OUT = Event(
    "kafka.close_timed_out",
    "info",
    "The consumer did not leave its group in time; the group notices at its session timeout.",
)
KAFKA_POSITION_LOST = Event(
    "kafka.position_lost",
    "warning",
    "Kafka no longer has the offset that comes next; it is decided again where to begin.",
    "See the next line of this partition.",
)
KAFKA_POSITIONING_DELAYED = Event(
    "kafka.positioning_delayed", "debug", "Where partitions begin cannot be decided now: Kafka or Redis is away."
)
KAFKA_PARTITION_POSITIONED = Event(
    "kafka.partition_positioned", "debug", "A partition is read from the usual place, which `reason` names."
)
KAFKA_PARTITION_SKIPPED = Event(
    "kafka.partition_skipped",
    "error",
    "A partition without a commit is not read, as KAFKA_CONSUMER_AUTO_OFFSET_RESET is `error`.",
    "Set an offset with `kafka-consumer-groups --reset-offsets`, or another reset rule.",
)
KAFKA_PARTITION_ADDED = Event(
    "kafka.partition_added",
    "info",
    "The topic has a partition that it did not have before; it is read from its beginning.",
)
KAFKA_PARTITION_RECREATED = Event(
    "kafka.partition_recreated",
    "warning",
    "Offsets have gone back: the topic was recreated or lost its end. What is new in it is read.",
    "Nothing if somebody recreated the topic; otherwise find out why Kafka lost records.",
)
KAFKA_COMMIT_MOVED = Event(
    "kafka.commit_moved",
    "error",
    "Somebody else moved the group's commit ahead; what lies between is not read.",
    "Move the commit back if those records are wanted.",
)
KAFKA_COMMIT_EXPIRED = Event(
    "kafka.commit_expired",
    "info",
    "Kafka has no usable commit any more; the ledger's own offset decides.",
)
KAFKA_POSITION_RESET = Event(
    "kafka.position_reset",
    "error",
    "Kafka has deleted what comes next; the reset rule decides where to begin, and `not_read` counts what is lost.",
    "More retention in Kafka, or longshore rebuild --since TIME for what it still has.",
)

LEASE_EXPIRED = Event(
    "lease.expired",
    "warning",
    "A worker did not end an attempt within its lease; the unknown-outcome policy decides.",
    "Look whether workers were killed or stall.",
)

LEDGER_REPLACED = Event(
    "ledger.replaced",
    "error",
    "The commits are those of another ledger: Redis is new, or another one.",
    "For what the old ledger had not delivered: longshore rebuild --since TIME.",
)
LEDGER_BEHIND_COMMIT = Event(
    "ledger.behind_commit",
    "error",
    "Redis lost what it stored last while nobody read; ingest reads again from where the ledger stands.",
    "Attempts since then may run twice: see how to restore and rebuild.",
)
LEDGER_ROLLED_BACK = Event(
    "ledger.rolled_back",
    "error",
    "Redis lost what it stored last while ingest ran; ingest reads again from where the ledger stands.",
    "Attempts since then may run twice: see how to restore and rebuild.",
)
LEDGER_REREAD = Event(
    "ledger.reread",
    "warning",
    "A partition is read again from `offset`, as the ledger had lost its end.",
    "See `remedy`.",
)

LIMITS_FILE_REFUSED = Event(
    "limits_file.refused",
    "error",
    "The file of limits was changed and is wrong; the one from before holds until a restart.",
    "Correct what `problem` names: the file is taken up at once.",
)

LONGSHORE_STARTED = Event("longshore.started", "info", "A program starts, in this role and version.")

LOOP_DELAYED = Event(
    "loop.delayed",
    "warning",
    "The periodic work of a thread waits for something outside, which `error` names.",
    "Nothing if it passes; otherwise look after what `error` names.",
)
LOOP_FAILED = Event(
    "loop.failed",
    "error",
    "A fault in the periodic work of a thread; it is tried again, ever more rarely.",
    "Report it, with `loop`, `error` and `at`.",
)
LOOP_RESUMED = Event("loop.resumed", "info", "The periodic work of a thread succeeds again.")

MAPPING_LINT_WARNED = Event(
    "mapping.lint_warned",
    "warning",
    "The mapping file is valid, but an expression in it probably does not mean what its author thinks.",
    "Follow `problem`; `longshore config check` shows all of them.",
)
MAPPING_RELOADED = Event("mapping.reloaded", "info", "The mapping file was changed, and is in force from now on.")
MAPPING_REFUSED = Event(
    "mapping.refused",
    "error",
    "The mapping file was changed and is wrong; the mapping from before stays in force until a restart.",
    "Correct what `problem` names: the file is taken up within seconds. A restart with it fails.",
)
MAPPING_EXPRESSION_FAILED = Event(
    "mapping.expression_failed",
    "warning",
    "An expression of the mapping failed for a message and counts as null.",
    "Try it with `longshore mapping test`; `place` says which it is.",
)
MAPPING_REPORT_FAILED = Event(
    "mapping.report_failed",
    "warning",
    "The report section of the mapping could not be evaluated; the run is reported without it.",
    "Correct the expression that `problem` names.",
)
MAPPING_JQ_FAILED = Event(
    "mapping.jq_failed",
    "error",
    "The process that evaluates jq could not work; nothing was sent and the invocation is deferred.",
    "Look for exhausted memory or processes on this machine.",
)

METRICS_SERVED = Event("metrics.served", "info", "Metrics and probes are served at `port`.")
METRICS_FLEET_FAILED = Event(
    "metrics.fleet_failed", "debug", "The metrics of the fleet are missing on a page, as Redis did not answer."
)
METRICS_REQUEST_FAILED = Event(
    "metrics.request_failed", "debug", "A request for metrics or a probe ended early, mostly as the client hung up."
)

NOTIFICATION_SENT = Event("notification.sent", "info", "A notification was sent to `destination`.")
NOTIFICATION_FAILED = Event(
    "notification.failed",
    "warning",
    "A notification was not taken; it is sent again after `again_in_s`, with what has happened since.",
    "See `error`; `longshore notify test` tries each URL.",
)
NOTIFICATION_URL_REJECTED = Event(
    "notification.url_rejected",
    "error",
    "A URL of NOTIFY_URLS cannot be used; nobody is notified there.",
    "Correct the URL at `position` in the list; `longshore notify test` tries each.",
)
NOTIFICATION_NOT_INSTALLED = Event(
    "notification.not_installed",
    "warning",
    "NOTIFY_URLS is set, but what sends notifications is not installed.",
    "`pip install longshore[notify]`, or unset NOTIFY_URLS.",
)

OPERATOR_INTAKE_RESUMED = Event("operator.intake_resumed", "info", "An operator lets intake go on.")
OPERATOR_INTAKE_STOPPED = Event(
    "operator.intake_stopped",
    "warning",
    "An operator has stopped intake: nothing more is accepted, by any ingest.",
    "`longshore drain --cancel` lets it go on.",
)
OPERATOR_REQUEUED = Event("operator.requeued", "info", "An operator requeued or replayed invocations.")
OPERATOR_JOB_STARTED = Event("operator.job_started", "info", "An operator started a job that requeues invocations.")
OPERATOR_JOB_STEERED = Event("operator.job_steered", "info", "An operator paused, resumed or ended a job.")
OPERATOR_TARGET_STEERED = Event("operator.target_steered", "info", "An operator paused, resumed or limited a target.")

OUTBOX_FLUSH_FAILED = Event(
    "outbox.flush_failed", "debug", "Reports were left when the worker ended; another worker sends them."
)

POLLING_OUTAGE_STARTED = Event(
    "polling.outage_started",
    "warning",
    "Port gives out no runs: a poll failed, and is repeated with growing pauses.",
    "Nothing if it passes; otherwise `longshore doctor` tries Port with our credentials.",
)
POLLING_OUTAGE_CONTINUED = Event("polling.outage_continued", "debug", "A poll failed.")
POLLING_OUTAGE_ENDED = Event("polling.outage_ended", "info", "Port gives out runs again.")
POLLING_OUTAGE = OutageEvents(POLLING_OUTAGE_STARTED, POLLING_OUTAGE_CONTINUED, POLLING_OUTAGE_ENDED)
POLLING_IDS_MISSED = Event(
    "polling.ids_missed",
    "error",
    "Port gave out runs without an id; they cannot be acknowledged and were left alone.",
    "Report it to Port.",
)
POLLING_CLAIM_LOST = Event(
    "polling.claim_lost",
    "info",
    "Port says that a run that was claimed and stored is not ours; it was dropped and is delivered by whoever has it.",
)
POLLING_ACKS_DELAYED = Event(
    "polling.acks_delayed",
    "warning",
    "Port has not heard that runs are ours; it is told again, and they are not delivered before.",
    "Nothing if it passes; otherwise `longshore doctor` tries Port with our credentials.",
)
POLLING_ACKS_RETRIED = Event("polling.acks_retried", "debug", "Port has not heard of a run yet, and is told again.")
POLLING_ACKS_RESUMED = Event("polling.acks_resumed", "info", "Port hears again that runs are ours.")
POLLING_ACKS = OutageEvents(POLLING_ACKS_DELAYED, POLLING_ACKS_RETRIED, POLLING_ACKS_RESUMED)
POLLING_ACK_FAILED = Event(
    "polling.ack_failed",
    "error",
    "Redis answered with an error when a run was to be moved to its lane; that is tried again.",
    "Report it, with `id` and `error`.",
)

PORT_OUTAGE_STARTED = Event(
    "port.outage_started",
    "warning",
    "Port does not give the credentials of Kafka; it is asked again until it does.",
    "Nothing if it passes; otherwise `longshore doctor` tries Port with our credentials.",
)
PORT_OUTAGE_CONTINUED = Event("port.outage_continued", "debug", "Port still does not give the credentials of Kafka.")
PORT_OUTAGE_ENDED = Event("port.outage_ended", "info", "Port gave the credentials of Kafka.")
PORT_OUTAGE = OutageEvents(PORT_OUTAGE_STARTED, PORT_OUTAGE_CONTINUED, PORT_OUTAGE_ENDED)
PORT_STREAMER_CALL_FAILED = Event(
    "port.streamer_call_failed",
    "warning",
    "Port could not be told how runs are taken, from Kafka or by polling; the start goes on.",
    "If no runs come, look at the agent's settings in Port.",
)

REDIS_AWAITED = Event(
    "redis.awaited",
    "warning",
    "Redis does not answer at the start; the program waits for it.",
    "Bring Redis up, or correct REDIS_URL.",
)
REDIS_ANSWERED = Event("redis.answered", "info", "Redis answers, after the start had waited for it.")
REDIS_CHECK_FAILED = Event(
    "redis.check_failed",
    "warning",
    "Redis did not answer when Flower started; the pages say so until it does.",
    "Bring Redis up, or correct REDIS_URL.",
)
REDIS_ADVICE_GIVEN = Event(
    "redis.advice_given",
    "warning",
    "Redis works, but is not set up as an agent needs it.",
    "Follow `text`; see how to run Redis for an agent.",
)
REDIS_EMBEDDED = Event("redis.embedded", "info", "The program runs its own Redis, with its data in `data`.")
REDIS_NOT_PERSISTENT = Event(
    "redis.not_persistent",
    "warning",
    "The embedded Redis keeps its data in a temporary folder, which ends with the container.",
    "Set LONGSHORE_DATA to a folder that lasts, or REDIS_URL.",
)
REDIS_OUTAGE_STARTED = Event(
    "redis.outage_started",
    "warning",
    "Ingest cannot store: Redis is away. Nothing is committed meanwhile, and nothing lost.",
    "Bring Redis back; reading goes on by itself.",
)
REDIS_OUTAGE_CONTINUED = Event("redis.outage_continued", "debug", "Ingest still cannot store.")
REDIS_OUTAGE_ENDED = Event("redis.outage_ended", "info", "Ingest stores again.")
REDIS_OUTAGE = OutageEvents(REDIS_OUTAGE_STARTED, REDIS_OUTAGE_CONTINUED, REDIS_OUTAGE_ENDED)
REDIS_REPLICAS_LOST = Event(
    "redis.replicas_lost",
    "warning",
    "Fewer replicas of Redis confirm than REDIS_WAIT_REPLICAS asks for; nothing is committed.",
    "Bring the replicas back; see how to run a highly available Redis.",
)
REDIS_REPLICAS_RESTORED = Event("redis.replicas_restored", "info", "Enough replicas of Redis confirm again.")

REPORT_DELAYED = Event(
    "report.delayed",
    "warning",
    "Port did not take a report now; it is sent again after `again_in_s`.",
    "Nothing if it passes; otherwise see the runbook page LongshorePortUnreachable.",
)
REPORT_REFUSED = Event(
    "report.refused",
    "warning",
    "Port refused a report for good; the run's log says so, and its end is told with nothing else.",
    "See `error` for what Port does not take.",
)
REPORT_GIVEN_UP = Event(
    "report.given_up",
    "warning",
    "Port failed at one report for long while it took others; it is not sent again.",
    "See `error`; set the run's status by hand if it matters.",
)
REPORT_NOTE_FAILED = Event(
    "report.note_failed", "debug", "The run's log could not be told that Port did not take something."
)
REPORT_INTERRUPTED = Event(
    "report.interrupted",
    "warning",
    "Redis went away while a report was sent; it is sent again.",
    "Nothing if it passes; otherwise look after Redis.",
)
REPORT_CRASHED = Event(
    "report.crashed",
    "error",
    "A fault of the agent broke off a report; it is sent again.",
    "Report it, with `error` and `at`.",
)
REPORT_BINDING_MISMATCHED = Event(
    "report.binding_mismatched",
    "error",
    "A sealed report belongs to another invocation; it was left out, and the run's log says so.",
    "Find out who else writes to this Redis.",
)
REPORT_DECODING_FAILED = Event(
    "report.decoding_failed",
    "error",
    "A stored report cannot be opened and was left out.",
    "Look whether all programs have the same PORT_CLIENT_SECRET.",
)

SUPERVISOR_STOP_REQUESTED = Event("supervisor.stop_requested", "info", "`longshore run` ends its programs.")

TARGET_LIMITS_APPLIED = Event("target.limits_applied", "info", "The limits of a target in the mapping hold.")

TARGETS_FILE_REFUSED = Event(
    "targets_file.refused",
    "error",
    "The file of options for targets was changed and is wrong, or names a wrong one; that from before holds.",
    "Correct what `problem` names, and write the file again: it is taken up at once.",
)

TLS_RELOADED = Event("tls.reloaded", "info", "New TLS connections use certificates that were changed.")
TLS_RELOAD_FAILED = Event(
    "tls.reload_failed",
    "error",
    "A client certificate, its key or a bundle of CAs was changed and cannot be read; those from before are used.",
    "Correct the file that `problem` names; it is read again once it changes.",
)
TLS_VERIFICATION_DISABLED = Event(
    "tls.verification_disabled",
    "warning",
    "The certificates of the targets that `place` means are not checked, as `verify` is false.",
    "Name their CA with `ca` in place of it.",
)

TRACING_STARTED = Event("tracing.started", "info", "Traces are exported.")
TRACING_NOT_INSTALLED = Event(
    "tracing.not_installed",
    "warning",
    "An endpoint for traces is set, but what exports them is not installed.",
    "`pip install longshore[otel]`, or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
)

WORKER_READY = Event("worker.ready", "info", "A worker takes tasks.")
WORKER_STOPPED = Event("worker.stopped", "info", "A worker ended in order.")
WORKER_DRAINING = Event("worker.draining", "info", "A worker takes no new tasks and ends those in flight.")
WORKER_WITHDRAW_FAILED = Event(
    "worker.withdraw_failed",
    "warning",
    "A worker that ends could not give back its slots; they lapse.",
    "Nothing if it passes; otherwise bring Redis back.",
)
WORKER_RESULT_STORED = Event(
    "worker.result_stored", "info", "A worker that ends stored a result that had waited for Redis."
)
WORKER_PARKED = Event(
    "worker.parked",
    "warning",
    "A worker had to end before a target answered; the outcome is unknown.",
    "Raise the grace period above the longest request timeout.",
)
WORKER_PARK_FAILED = Event(
    "worker.park_failed",
    "warning",
    "A worker that ends could not store that an outcome is unknown; the lease lapses to the same end.",
    "Nothing if it passes; otherwise bring Redis back.",
)
WORKER_OPEN_FILES_LIMITED = Event(
    "worker.open_files_limited",
    "warning",
    "The process may not open as many files as WORKER_SLOTS requests need; some attempts may fail and be repeated.",
    "Raise the hard limit (ulimit -Hn), or lower WORKER_SLOTS.",
)
WORKER_THREAD_FAILED = Event(
    "worker.thread_failed",
    "warning",
    "No further thread can be started for sending; those that are there go on.",
    "Give the process more memory, or raise its limit of threads.",
)
WORKER_THREADS_HUNG = Event(
    "worker.threads_hung",
    "error",
    "Threads of a worker hang beyond their deadline; their slots are lost until it restarts.",
    "Report it with `run_ids`; the worker restarts above WORKER_HUNG_LIMIT.",
)
WORKER_RESTART_REQUESTED = Event(
    "worker.restart_requested",
    "error",
    "A worker ends in order and is started again, as too many of its threads hang.",
    "Report it, with the `worker.threads_hung` before it.",
)

REGISTRY = {each.name: each for each in list(globals().values()) if isinstance(each, Event)}
"""Event by name."""
