CREATE TABLE {{table:tenants}} (
    tenant_id varchar(100) NOT NULL PRIMARY KEY,
    connection_string varchar(2000) NOT NULL,
    disabled tinyint(1) NOT NULL DEFAULT 0
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;
