DROP TABLE IF EXISTS {{table:agent_restrictions}};
DROP TABLE IF EXISTS {{table:control_queue}};
DROP TABLE IF EXISTS {{table:node_records}};
DROP TABLE IF EXISTS {{table:node_assignments}};
DROP TABLE IF EXISTS {{table:nodes}};
