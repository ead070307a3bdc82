//! The tables of a current message database.

/// Each table with its columns, equal on every engine.
pub(crate) const EXPECTED_TABLES: &[(&str, &[&str])] = &[
    (
        "incoming_envelopes",
        &[
            "id",
            "status",
            "owner_id",
            "execution_time",
            "attempts",
            "body",
            "message_type",
            "received_at",
            "keep_until",
        ],
    ),
    (
        "outgoing_envelopes",
        &[
            "id",
            "owner_id",
            "destination",
            "deliver_by",
            "body",
            "attempts",
            "message_type",
        ],
    ),
    (
        "dead_letters",
        &[
            "id",
            "execution_time",
            "body",
            "message_type",
            "received_at",
            "source",
            "exception_type",
            "exception_message",
            "sent_at",
            "replayable",
            "expires",
        ],
    ),
    (
        "nodes",
        &[
            "id",
            "node_number",
            "description",
            "uri",
            "started",
            "health_check",
            "version",
            "capabilities",
        ],
    ),
    ("node_assignments", &["id", "node_id", "started"]),
    (
        "node_records",
        &[
            "id",
            "node_number",
            "event_name",
            "timestamp",
            "description",
        ],
    ),
    (
        "control_queue",
        &["id", "message_type", "node_id", "body", "posted", "expires"],
    ),
    ("agent_restrictions", &["id", "uri", "type", "node"]),
    ("tenants", &["tenant_id", "connection_string", "disabled"]),
];
