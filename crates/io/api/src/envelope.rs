//! The JSON shape that front ends see: a reply with the version of the contract.

use serde_json::Value;

use crate::reply::Reply;

/// Version of the JSON contract; additive changes keep it.
pub const API_VERSION: &str = "printmesh/v1";

/// Wraps a reply: `{"apiVersion":…,"kind":…,…}`.
pub fn envelope(reply: &Reply) -> Value {
    let value = serde_json::to_value(reply).expect("replies are plain values with string keys");
    versioned(value)
}

/// Adds the version to a JSON object that has its `kind` already.
pub fn versioned(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.insert("apiVersion".to_owned(), Value::from(API_VERSION));
    }
    value
}
