CREATE TABLE {{table:tenants}} (
    tenant_id nvarchar(100) NOT NULL PRIMARY KEY,
    connection_string nvarchar(2000) NOT NULL,
    disabled bit NOT NULL DEFAULT 0
);
