CREATE TABLE {{table:tenants}} (
    tenant_id text PRIMARY KEY,
    connection_string text NOT NULL,
    disabled boolean NOT NULL DEFAULT false
);
