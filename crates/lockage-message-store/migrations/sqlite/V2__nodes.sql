-- SQLite numbers a primary key and nothing else, so the id is a key beside it.
CREATE TABLE {{table:nodes}} (
    id TEXT NOT NULL UNIQUE,
    node_number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    description TEXT,
    uri TEXT NOT NULL,
    started TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    health_check TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    version TEXT,
    capabilities TEXT
);

CREATE TABLE {{table:node_assignments}} (
    id TEXT NOT NULL PRIMARY KEY,
    node_id TEXT REFERENCES {{name:nodes}} (id) ON DELETE CASCADE,
    started TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX {{name:node_assignments_node}} ON {{name:node_assignments}} (node_id);

CREATE TABLE {{table:node_records}} (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    node_number INTEGER NOT NULL,
    event_name TEXT NOT NULL,
    timestamp TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    description TEXT
);

CREATE TABLE {{table:control_queue}} (
    id TEXT NOT NULL PRIMARY KEY,
    message_type TEXT NOT NULL,
    node_id TEXT NOT NULL,
    body BLOB NOT NULL,
    posted TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    expires TEXT
);

CREATE TABLE {{table:agent_restrictions}} (
    id TEXT NOT NULL PRIMARY KEY,
    uri TEXT NOT NULL,
    type TEXT NOT NULL,
    node INTEGER NOT NULL DEFAULT 0
);
