//! The span in which a server answers says whose trace it is, of what kind, and from whom.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use strait::xcp::{Ether, OCTETS, Options};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Fields = BTreeMap<&'static str, String>;

/// Keeps the fields of spans called `xcp`.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Fields>>>);

struct Seen<'f>(&'f mut Fields);

impl Visit for Seen<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().expect("no panic");
        if span.metadata().name() == "xcp" {
            let mut fields = Fields::new();
            span.record(&mut Seen(&mut fields));
            spans.push(fields);
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn the_span_of_an_answer_has_the_trace_of_its_request() {
    let spans = Spans::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tracing::subscriber::with_default(spans.clone(), || {
        runtime.block_on(async {
            let server = Options::new().listen("tcp://127.0.0.1:0").await.expect("listens");
            let address = server.address().to_string();
            tokio::spawn(server.serve(|ether| async move { Ok(Some(ether)) }));
            let client = strait::xcp::connect(&address).await.expect("connects");
            // In the ether itself, in a tag of a body that has no place for it, and nowhere.
            let traced = Ether::text("a").metadata("trace_id", "of-the-ether");
            client.request(&traced).await.expect("is answered");
            client.request_body(OCTETS, "a").tag("trace_id", "of-the-tag").await.expect("is answered");
            client.request(&Ether::text("a")).await.expect("is answered");
        });
    });
    let mut spans = spans.0.lock().expect("no panic");
    // Connections have one as well, which knows of no message.
    spans.retain(|span| span.contains_key("trace_id"));
    let field = |name| spans.iter().map(|span| span[name].as_str()).collect::<Vec<_>>();
    assert_eq!(field("trace_id"), ["of-the-ether", "of-the-tag", ""]);
    assert_eq!(field("kind"), ["text", "octets", "text"]);
    assert!(field("peer").iter().all(|peer| peer.starts_with("127.0.0.1:")));
}
