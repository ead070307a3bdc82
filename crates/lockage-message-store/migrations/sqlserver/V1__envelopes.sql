CREATE TABLE {{table:incoming_envelopes}} (
    id uniqueidentifier NOT NULL,
    status nvarchar(25) NOT NULL CHECK (status IN ('Incoming', 'Scheduled', 'Handled')),
    owner_id int NOT NULL,
    execution_time datetimeoffset,
    attempts int DEFAULT 0,
    body varbinary(max) NOT NULL,
    message_type nvarchar(255) NOT NULL,
    received_at nvarchar(255) {{received_at:null}},
    keep_until datetimeoffset,
    PRIMARY KEY ({{incoming:key}})
);
CREATE INDEX {{name:incoming_envelopes_owner}} ON {{table:incoming_envelopes}} (owner_id) WHERE owner_id <> 0;

CREATE TABLE {{table:outgoing_envelopes}} (
    id uniqueidentifier NOT NULL PRIMARY KEY,
    owner_id int NOT NULL,
    destination nvarchar(500) NOT NULL,
    deliver_by datetimeoffset,
    body varbinary(max) NOT NULL,
    attempts int DEFAULT 0,
    message_type nvarchar(255) NOT NULL
);
CREATE INDEX {{name:outgoing_envelopes_owner}} ON {{table:outgoing_envelopes}} (owner_id) WHERE owner_id <> 0;

CREATE TABLE {{table:dead_letters}} (
    id uniqueidentifier NOT NULL PRIMARY KEY,
    execution_time datetimeoffset,
    body varbinary(max) NOT NULL,
    message_type nvarchar(255) NOT NULL,
    received_at nvarchar(255),
    source nvarchar(255),
    exception_type nvarchar(max),
    exception_message nvarchar(max),
    sent_at datetimeoffset,
    replayable bit,
    expires datetimeoffset
);
CREATE INDEX {{name:dead_letters_replayable}} ON {{table:dead_letters}} (replayable) WHERE replayable = 1;
CREATE INDEX {{name:dead_letters_expires}} ON {{table:dead_letters}} (expires) WHERE expires IS NOT NULL;
