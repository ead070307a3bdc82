CREATE TABLE {{table:tenants}} (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    connection_string TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0
);
