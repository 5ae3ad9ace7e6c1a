//! How things are described that have no type of their own.

use std::borrow::Cow;

use novacula_protocol::signature::MAX_SIGNATURE_BYTES;
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::api::releases::MAX_NOTES;
use crate::api::upgrades_over_time::{DEFAULT_DAYS, MAX_DAYS};
use crate::extract::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::reason::MAX_REASON;

/// A version up to its build metadata. Its numbers fit into 64 bits, and its digits are those of ASCII.
pub(crate) const VERSION: &str = concat!(
    r"^(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})",
    r"(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?",
);

macro_rules! shapes {
    ($($(#[$about:meta])* $name:ident = |$generator:ident| $schema:expr;)*) => {
        $(
            $(#[$about])*
            pub(crate) struct $name;

            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                    $schema
                }
            }
        )*
    };
}

shapes! {
    /// How many rows a page may have.
    Limit = |_generator| json_schema!({
        "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT,
    });

    /// The name of the last executor on a page, in hex.
    NameCursor = |_generator| json_schema!({"type": "string", "pattern": "^([0-9a-f]{2})+$"});

    /// The number of the last entry on a page; the store counts in signed numbers.
    EntryCursor = |_generator| json_schema!({"type": "integer", "minimum": 0, "maximum": i64::MAX});

    /// A version of a release: two builds of one version could not be told apart.
    PlainVersion = |_generator| json_schema!({"type": "string", "pattern": format!("{VERSION}$")});

    /// A label of an executor.
    Label = |_generator| json_schema!({"type": "string", "pattern": "^[^=]+=.*$"});

    /// The id of a release key, as minisign prints it.
    KeyId = |_generator| json_schema!({"type": "string", "pattern": "^[0-9A-F]{16}$"});

    /// Why a person does something.
    Reason = |_generator| json_schema!({"type": "string", "maxLength": MAX_REASON});

    /// How the activity is written.
    Format = |_generator| json_schema!({"type": "string", "enum": ["json", "csv"]});

    /// A stream of events: as text, or each of them.
    Events = |_generator| json_schema!({
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {
                    "event": {"type": "string", "enum": ["stage", "log", "progress", "end"]},
                    "id": {"type": "string", "pattern": "^[0-9]+$"},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                },
                "required": ["event", "data"],
            },
        ],
    });

    /// How many days are looked back at.
    Days = |_generator| json_schema!({"type": "integer", "minimum": 1, "maximum": MAX_DAYS, "default": DEFAULT_DAYS});

    /// A part of an artifact, or all of it.
    Bytes = |_generator| json_schema!({"type": "string", "format": "binary"});

    /// The form of an upload.
    UploadForm = |generator| upload_form(generator);
}

fn upload_form(generator: &mut SchemaGenerator) -> Schema {
    let steps = json_schema!({
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 4_096},
            "maxItems": 50,
        },
    });
    json_schema!({
        "type": "object",
        "properties": {
            // Releases of operators cannot be kept yet.
            "kind": {"type": "string", "enum": [Kind::Agent], "description": "As signed, where it is not given"},
            "version": PlainVersion::json_schema(generator),
            "channel": generator.subschema_for::<Channel>(),
            "notes": {"type": "string", "maxLength": MAX_NOTES},
            "type": {"type": "string", "pattern": "^[a-z0-9-]{1,64}$", "description": "Its kind, where it is not given"},
            "prerequisites": steps,
            "postrequisites": steps,
            "target": {"type": "string", "description": "Must be the signed one, where it is given"},
            "signature": {
                "type": "string",
                "maxLength": MAX_SIGNATURE_BYTES,
                "description": "The text of the .minisig file",
            },
            "artifact": {"type": "string", "format": "binary"},
        },
        "required": ["signature", "artifact"],
        "additionalProperties": false,
    })
}
