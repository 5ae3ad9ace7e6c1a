//! How things are described that have no type of their own.

use std::borrow::Cow;

use novacula_protocol::signature::MAX_SIGNATURE_BYTES;
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::api::releases::MAX_NOTES;
use crate::extract::{DEFAULT_LIMIT, MAX_LIMIT};

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

    /// A label of an executor.
    Label = |_generator| json_schema!({"type": "string", "pattern": "^[^=]+=.*$"});

    /// How the activity is written.
    Format = |_generator| json_schema!({"type": "string", "enum": ["json", "csv"]});

    /// A part of an artifact, or all of it.
    Bytes = |_generator| json_schema!({"type": "string", "format": "binary"});

    /// The form of an upload.
    UploadForm = |generator| json_schema!({
        "type": "object",
        "properties": {
            "kind": generator.subschema_for::<Kind>(),
            "version": generator.subschema_for::<semver::Version>(),
            "channel": generator.subschema_for::<Channel>(),
            "notes": {"type": "string", "maxLength": MAX_NOTES},
            "target": {"type": "string", "description": "Must be the signed one, where it is given"},
            "signature": {
                "type": "string",
                "maxLength": MAX_SIGNATURE_BYTES,
                "description": "The text of the .minisig file",
            },
            "artifact": {"type": "string", "format": "binary"},
        },
        "required": ["kind", "version", "signature", "artifact"],
        "additionalProperties": false,
    });
}
