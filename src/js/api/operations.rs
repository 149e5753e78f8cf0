//! What a request may ask for, done.

use js_sys::{Object, Reflect, Uint8Array};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;
use worker::web_sys::{Headers, ReadableStream, Request, Response};

use super::answers::{self, stringified};
use super::bytes::Bytes;
use super::failed::Failed;
use super::frames::{self, bad_frame, corrupt_entry};
use super::host::{Acquisition, Host, reached};
use super::{arrived, declared_length};
use crate::base::time::Span;
use crate::js::panic;
use crate::wire::api::{self, Message, Operation, Permit, READ_AHEAD_BYTES, Refusal, STORE_LIMIT};

/// A request that may do what it asks for.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) host: &'a Host,
    pub(super) permit: &'a Permit,
    pub(super) sent: &'a mut Bytes,
}

impl Call<'_> {
    /// Does it, and answers.
    pub(super) async fn perform(&mut self) -> Result<Response, Failed> {
        panic::strike();
        match self.permit.operation {
            Operation::Health => self.health(),
            Operation::Entry => self.entry().await,
            Operation::Acquire => self.acquire().await,
            Operation::Publish => self.publish().await,
            Operation::Abandon => self.abandon().await,
            Operation::Touch => self.touch().await,
            Operation::Since | Operation::Append | Operation::Check => self.ask_ledger().await,
        }
    }

    fn health(&self) -> Result<Response, Failed> {
        #[derive(Serialize)]
        struct Health<'a> {
            status: &'a str,
            app: &'a str,
            access: api::Access,
        }
        let health = Health { status: "ok", app: &self.permit.app, access: self.permit.access };
        let text = serde_json::to_string(&health).map_err(|error| JsValue::from(error.to_string()))?;
        Ok(answers::json(&text.into(), true)?)
    }

    async fn entry(&self) -> Result<Response, Failed> {
        let stored = reached(STORE_LIMIT, self.host.read_entry(&self.permit.object)).await?;
        if stored.is_null() || stored.is_undefined() {
            return Err(Refusal::NoEntry.into());
        }
        let mut bytes = Bytes::of_stream(Some(stored.unchecked_into::<ReadableStream>()));
        match super::deadline::within(STORE_LIMIT, self.begun(&mut bytes)).await {
            Some(Ok(Stored::Known(response))) => {
                bytes.cancel();
                Ok(response)
            }
            Some(Ok(Stored::Whole(response))) => Ok(response),
            Some(Ok(Stored::Begun(header, headers))) => {
                let (rest, stream) = bytes.into_rest();
                Ok(answers::frame(self.host, header.total(), &[header.bytes, rest], stream, &headers)?)
            }
            Some(Err(failed)) => {
                bytes.cancel();
                Err(failed)
            }
            None => {
                bytes.cancel();
                Err(Refusal::of_silence(STORE_LIMIT).into())
            }
        }
    }

    /// Reads as much of a stored entry as is read before it is answered with.
    async fn begun(&self, bytes: &mut Bytes) -> Result<Stored, Failed> {
        let header = frames::header(bytes, corrupt_entry).await?;
        let headers = Headers::new()?;
        headers.set("etag", &format!("\"{}\"", header.generation))?;
        let known = self.request.headers().get("if-none-match")?;
        if known.is_some_and(|known| api::is_known(&known, header.generation)) {
            return Ok(Stored::Known(answers::empty(304, &headers)?));
        }
        if header.body_bytes > READ_AHEAD_BYTES {
            return Ok(Stored::Begun(header, headers));
        }
        let body = frames::body(bytes, &header, corrupt_entry).await?;
        Ok(Stored::Whole(answers::frame(self.host, header.total(), &[header.bytes, body], None, &headers)?))
    }

    async fn acquire(&mut self) -> Result<Response, Failed> {
        let message = self.message().await?;
        let wait = match &message {
            Message::Acquire(acquire) => acquire.wait_ms,
            _ => Span::ZERO,
        };
        let name = &self.permit.object;
        let sent = self.host.route(name).and_then(|route| route.acquire(name, &to_js(&message)?));
        let acquired: Acquisition = reached(STORE_LIMIT.and(wait), sent).await?.unchecked_into();
        let told = Object::new();
        Reflect::set(&told, &"answer".into(), &acquired.answer())?;
        Reflect::set(&told, &"waited".into(), &acquired.waited().unwrap_or(false).into())?;
        let told = stringified(&told)?;
        let (Some(header), Some(body)) = (acquired.header(), acquired.body()) else {
            return Ok(answers::json(&told, true)?);
        };
        let headers = Headers::new()?;
        headers.set("onegen-answer", &told.as_string().unwrap_or_default())?;
        let total = u64::from(header.length()).saturating_add(body.length().into());
        Ok(answers::frame(self.host, total, &[header, body], None, &headers)?)
    }

    async fn publish(&mut self) -> Result<Response, Failed> {
        let told = self.request.headers().get("onegen-message")?.unwrap_or_default();
        let message = self.read(told)?;
        let (header, body) = arrived(self.frame()).await?;
        let name = &self.permit.object;
        let sent = self.host.route(name).and_then(|route| route.publish(name, &to_js(&message)?, &header, &body));
        Ok(answers::json(&stringified(&reached(STORE_LIMIT, sent).await?)?, true)?)
    }

    /// The frame that was sent.
    async fn frame(&mut self) -> Result<(Uint8Array, Uint8Array), Failed> {
        let limit = self.permit.body_limit;
        let length = declared_length(self.request, self.permit)?;
        let header = frames::header(self.sent, bad_frame).await?;
        if header.total() > limit {
            return Err(Refusal::TooLarge { limit }.into());
        }
        if length.is_some_and(|length| length != header.total()) {
            return Err(bad_frame(crate::entry::frame::Corrupt::BodyLength).into());
        }
        let body = frames::body(self.sent, &header, bad_frame).await?;
        Ok((header.bytes, body))
    }

    async fn abandon(&mut self) -> Result<Response, Failed> {
        let message = self.message().await?;
        let name = &self.permit.object;
        let sent = self.host.route(name).and_then(|route| route.abandon(name, &to_js(&message)?));
        reached(STORE_LIMIT, sent).await?;
        Ok(answers::empty(204, &Headers::new()?)?)
    }

    async fn touch(&self) -> Result<Response, Failed> {
        let name = &self.permit.object;
        let sent = self.host.route(name).and_then(|route| route.touch(name));
        reached(STORE_LIMIT, sent).await?;
        Ok(answers::empty(204, &Headers::new()?)?)
    }

    async fn ask_ledger(&mut self) -> Result<Response, Failed> {
        let message = self.message().await?;
        let name = &self.permit.object;
        let sent = self.host.ledger(name).and_then(|ledger| {
            let message = to_js(&message)?;
            match self.permit.operation {
                Operation::Append => ledger.append(name, &message),
                Operation::Check => ledger.check(name, &message),
                _ => ledger.since(name, &message),
            }
        });
        Ok(answers::json(&stringified(&reached(STORE_LIMIT, sent).await?)?, true)?)
    }

    /// The message that the body is.
    async fn message(&mut self) -> Result<Message, Failed> {
        let limit = self.permit.body_limit;
        let length = declared_length(self.request, self.permit)?;
        let most = u32::try_from(length.unwrap_or(limit)).unwrap_or(u32::MAX);
        let sent = &mut *self.sent;
        let text = arrived(async {
            let text = sent.take(most).await?;
            if sent.ended().await? { Ok(text.to_vec()) } else { Err(Refusal::TooLarge { limit }.into()) }
        });
        let text = text.await?;
        self.read(text)
    }

    fn read(&self, text: impl AsRef<[u8]>) -> Result<Message, Failed> {
        // Every operation that gets here has a message.
        Ok(api::message(self.permit.operation, text)?.ok_or(Refusal::Internal)?)
    }
}

/// As much of a stored entry as is known before it is answered with.
enum Stored {
    /// The client has this generation.
    Known(Response),
    /// It was read whole.
    Whole(Response),
    /// Its header was read; its body follows.
    Begun(frames::Header, Headers),
}

fn to_js(message: &Message) -> Result<JsValue, JsValue> {
    Ok(message.serialize(&Serializer::new())?)
}
