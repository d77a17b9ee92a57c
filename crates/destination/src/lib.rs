//! What a destination is: load plan, merge, checkpoint, and its conformance suite
