//! Masks passwords in output.

pub(crate) use lockage::redact::mask_secrets as redact;
