-- CURRENT_TIMESTAMP would be in the session's time zone.
CREATE TABLE {{table:nodes}} (
    id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    node_number int NOT NULL AUTO_INCREMENT,
    description text,
    uri varchar(500) NOT NULL,
    started datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
    health_check datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
    version varchar(100),
    capabilities text,
    UNIQUE KEY {{name:nodes_node_number}} (node_number)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE {{table:node_assignments}} (
    id varchar(255) NOT NULL PRIMARY KEY,
    node_id char(36) CHARACTER SET ascii COLLATE ascii_bin,
    started datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
    KEY {{name:node_assignments_node}} (node_id),
    FOREIGN KEY (node_id) REFERENCES {{table:nodes}} (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE {{table:node_records}} (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
    node_number int NOT NULL,
    event_name varchar(255) NOT NULL,
    timestamp datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
    description text
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE {{table:control_queue}} (
    id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    message_type varchar(255) NOT NULL,
    node_id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    body longblob NOT NULL,
    posted datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
    expires datetime(6)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE {{table:agent_restrictions}} (
    id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    uri varchar(500) NOT NULL,
    type varchar(255) NOT NULL,
    node int NOT NULL DEFAULT 0
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;
