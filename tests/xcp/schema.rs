//! Messages of schemas that are not among the required ones are refused, and so are payloads that break their own.

use serde_json::json;
use strait::xcp::{
    ErrorCode, Ether, Flags, KindId, OCTETS, Options, RequestError, Schema, SchemaKey, SchemaRegistry,
};

use crate::home::Home;
use crate::raw::{Raw, data, text};

fn schemas() -> SchemaRegistry {
    let mut schemas = SchemaRegistry::empty();
    let required = json!({ "type": "object", "required": ["text"] });
    schemas.insert(Schema::try_new("", "text", 1, 0, required).expect("a schema")).expect("is new");
    schemas
}

#[test]
fn a_header_that_names_an_unknown_schema_is_refused() {
    let home = Home::echo(&Options::new().schemas(schemas()));
    let known = schemas().latest("text", 1).expect("is there").key();
    let unknown = [
        SchemaKey { kind_id: KindId::IMAGE.0, major: 1, ..SchemaKey::default() },
        SchemaKey { kind_id: KindId::TEXT.0, major: 2, ..SchemaKey::default() },
        SchemaKey { hash: Some([7; 16]), ..known },
        SchemaKey { ns_hash: 7, ..known },
    ];
    let mut raw = Raw::ready(&home.address);
    for (msg_id, key) in (2..).zip(unknown) {
        let mut header = data(1, msg_id);
        header.schema_key = Some(key);
        // In two chunks: what follows the refusal is no message.
        raw.send(&header, Flags::MORE, &text("no")[..5]);
        assert_eq!(raw.next().nack(), (msg_id, ErrorCode::ERR_SCHEMA_UNKNOWN), "{key:?}");
        raw.send(&header, Flags::NONE, &text("no")[5..]);
    }
    for (msg_id, key) in (20..).zip([Some(known), Some(SchemaKey::default()), None]) {
        let mut header = data(1, msg_id);
        header.schema_key = key;
        raw.send(&header, Flags::NONE, &text("yes"));
        assert_eq!(raw.next().header.in_reply_to, msg_id, "{key:?}");
    }
}

#[test]
fn an_ether_of_another_schema_or_against_its_own_is_refused_when_it_is_decoded() {
    let home = Home::echo(&Options::new().schemas(schemas()));
    home.runtime.block_on(async {
        let client = strait::xcp::connect(&home.address).await.expect("connects");
        for (ether, wanted) in [
            (Ether::image(1, 1, 1, "image/png", ""), ErrorCode::ERR_SCHEMA_UNKNOWN),
            (Ether::new("text", 2).payload("text", "a"), ErrorCode::ERR_SCHEMA_UNKNOWN),
            (Ether::new("text", 1).payload("words", "a"), ErrorCode::ERR_MALFORMED),
        ] {
            let refused = client.request(&ether).await;
            assert!(matches!(refused, Err(RequestError::Nack { code, .. }) if code == wanted), "{refused:?}");
        }
        client.request(&Ether::text("a")).await.expect("is answered");
        client.request_body(OCTETS, "plain bytes follow none").await.expect("is answered");
    });
}
