DROP TABLE IF EXISTS {{table:tenants}};
