-- No partial indexes here: those on owner_id, replayable and expires hold every row.
CREATE TABLE {{table:incoming_envelopes}} (
    id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    status varchar(25) NOT NULL CHECK (status IN ('Incoming', 'Scheduled', 'Handled')),
    owner_id int NOT NULL,
    execution_time datetime(6),
    attempts int DEFAULT 0,
    body longblob NOT NULL,
    message_type varchar(255) NOT NULL,
    received_at varchar(255) {{received_at:null}},
    keep_until datetime(6),
    PRIMARY KEY ({{incoming:key}}),
    KEY {{name:incoming_envelopes_owner}} (owner_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE {{table:outgoing_envelopes}} (
    id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    owner_id int NOT NULL,
    destination varchar(500) NOT NULL,
    deliver_by datetime(6),
    body longblob NOT NULL,
    attempts int DEFAULT 0,
    message_type varchar(255) NOT NULL,
    KEY {{name:outgoing_envelopes_owner}} (owner_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE {{table:dead_letters}} (
    id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    execution_time datetime(6),
    body longblob NOT NULL,
    message_type varchar(255) NOT NULL,
    received_at varchar(255),
    source varchar(255),
    exception_type text,
    exception_message text,
    sent_at datetime(6),
    replayable tinyint(1),
    expires datetime(6),
    KEY {{name:dead_letters_replayable}} (replayable),
    KEY {{name:dead_letters_expires}} (expires)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;
