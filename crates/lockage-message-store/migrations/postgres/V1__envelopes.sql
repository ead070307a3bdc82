CREATE TABLE {{table:incoming_envelopes}} (
    id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('Incoming', 'Scheduled', 'Handled')),
    owner_id integer NOT NULL,
    execution_time timestamptz,
    attempts integer DEFAULT 0,
    body bytea NOT NULL,
    message_type text NOT NULL,
    received_at text {{received_at:null}},
    keep_until timestamptz,
    PRIMARY KEY ({{incoming:key}})
);
CREATE INDEX {{name:incoming_envelopes_owner}} ON {{table:incoming_envelopes}} (owner_id) WHERE owner_id <> 0;

CREATE TABLE {{table:outgoing_envelopes}} (
    id uuid PRIMARY KEY,
    owner_id integer NOT NULL,
    destination text NOT NULL,
    deliver_by timestamptz,
    body bytea NOT NULL,
    attempts integer DEFAULT 0,
    message_type text NOT NULL
);
CREATE INDEX {{name:outgoing_envelopes_owner}} ON {{table:outgoing_envelopes}} (owner_id) WHERE owner_id <> 0;

CREATE TABLE {{table:dead_letters}} (
    id uuid PRIMARY KEY,
    execution_time timestamptz,
    body bytea NOT NULL,
    message_type text NOT NULL,
    received_at text,
    source text,
    exception_type text,
    exception_message text,
    sent_at timestamptz,
    replayable boolean,
    expires timestamptz
);
CREATE INDEX {{name:dead_letters_replayable}} ON {{table:dead_letters}} (replayable) WHERE replayable;
CREATE INDEX {{name:dead_letters_expires}} ON {{table:dead_letters}} (expires) WHERE expires IS NOT NULL;
