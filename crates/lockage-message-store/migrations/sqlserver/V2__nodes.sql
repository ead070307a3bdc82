CREATE TABLE {{table:nodes}} (
    id uniqueidentifier NOT NULL PRIMARY KEY,
    node_number int NOT NULL IDENTITY(1, 1),
    description nvarchar(max),
    uri nvarchar(500) NOT NULL,
    started datetimeoffset NOT NULL DEFAULT TODATETIMEOFFSET(SYSUTCDATETIME(), 0),
    health_check datetimeoffset NOT NULL DEFAULT TODATETIMEOFFSET(SYSUTCDATETIME(), 0),
    version nvarchar(100),
    capabilities nvarchar(max)
);

CREATE TABLE {{table:node_assignments}} (
    id nvarchar(255) NOT NULL PRIMARY KEY,
    node_id uniqueidentifier REFERENCES {{table:nodes}} (id) ON DELETE CASCADE,
    started datetimeoffset NOT NULL DEFAULT TODATETIMEOFFSET(SYSUTCDATETIME(), 0)
);
CREATE INDEX {{name:node_assignments_node}} ON {{table:node_assignments}} (node_id);

CREATE TABLE {{table:node_records}} (
    id int NOT NULL IDENTITY(1, 1) PRIMARY KEY,
    node_number int NOT NULL,
    event_name nvarchar(255) NOT NULL,
    [timestamp] datetimeoffset NOT NULL DEFAULT TODATETIMEOFFSET(SYSUTCDATETIME(), 0),
    description nvarchar(max)
);

CREATE TABLE {{table:control_queue}} (
    id uniqueidentifier NOT NULL PRIMARY KEY,
    message_type nvarchar(255) NOT NULL,
    node_id uniqueidentifier NOT NULL,
    body varbinary(max) NOT NULL,
    posted datetimeoffset NOT NULL DEFAULT TODATETIMEOFFSET(SYSUTCDATETIME(), 0),
    expires datetimeoffset
);

CREATE TABLE {{table:agent_restrictions}} (
    id uniqueidentifier NOT NULL PRIMARY KEY,
    uri nvarchar(500) NOT NULL,
    type nvarchar(255) NOT NULL,
    node int NOT NULL DEFAULT 0
);
