//! What is the same on every SQL engine.
