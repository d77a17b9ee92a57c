//! Connecting, against a private server.
