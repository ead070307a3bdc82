CREATE TABLE {{table:incoming_envelopes}} (
    id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('Incoming', 'Scheduled', 'Handled')),
    owner_id INTEGER NOT NULL,
    execution_time TEXT,
    attempts INTEGER DEFAULT 0,
    body BLOB NOT NULL,
    message_type TEXT NOT NULL,
    received_at TEXT {{received_at:null}},
    keep_until TEXT,
    PRIMARY KEY ({{incoming:key}})
);
CREATE INDEX {{name:incoming_envelopes_owner}} ON {{name:incoming_envelopes}} (owner_id) WHERE owner_id <> 0;

CREATE TABLE {{table:outgoing_envelopes}} (
    id TEXT NOT NULL PRIMARY KEY,
    owner_id INTEGER NOT NULL,
    destination TEXT NOT NULL,
    deliver_by TEXT,
    body BLOB NOT NULL,
    attempts INTEGER DEFAULT 0,
    message_type TEXT NOT NULL
);
CREATE INDEX {{name:outgoing_envelopes_owner}} ON {{name:outgoing_envelopes}} (owner_id) WHERE owner_id <> 0;

CREATE TABLE {{table:dead_letters}} (
    id TEXT NOT NULL PRIMARY KEY,
    execution_time TEXT,
    body BLOB NOT NULL,
    message_type TEXT NOT NULL,
    received_at TEXT,
    source TEXT,
    exception_type TEXT,
    exception_message TEXT,
    sent_at TEXT,
    replayable INTEGER,
    expires TEXT
);
CREATE INDEX {{name:dead_letters_replayable}} ON {{name:dead_letters}} (replayable) WHERE replayable = 1;
CREATE INDEX {{name:dead_letters_expires}} ON {{name:dead_letters}} (expires) WHERE expires IS NOT NULL;
