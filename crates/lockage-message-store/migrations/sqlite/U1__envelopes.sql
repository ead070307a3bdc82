DROP TABLE IF EXISTS {{table:dead_letters}};
DROP TABLE IF EXISTS {{table:outgoing_envelopes}};
DROP TABLE IF EXISTS {{table:incoming_envelopes}};
