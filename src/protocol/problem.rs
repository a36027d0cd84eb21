//! Every refusal a client may see.
