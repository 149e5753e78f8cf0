//! Bytes in runs of asked lengths, of a stream, of an array, or of nothing. They stay in JavaScript.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{ReadableStream, ReadableStreamDefaultReader};

/// What is still to be read.
pub(super) struct Bytes {
    stream: Option<ReadableStream>,
    reader: Option<ReadableStreamDefaultReader>,
    rest: Uint8Array,
}

impl Bytes {
    /// The bytes of a stream that nobody else reads, or none.
    pub(super) fn of_stream(stream: Option<ReadableStream>) -> Self {
        Self { stream, reader: None, rest: Uint8Array::new_with_length(0) }
    }

    /// The next so many bytes; fewer when they end.
    pub(super) async fn take(&mut self, length: u32) -> Result<Uint8Array, JsValue> {
        let taken = Uint8Array::new_with_length(length);
        let mut at: u32 = 0;
        while at < length && self.more().await? {
            let run = self.next(length.saturating_sub(at));
            taken.set(&run, at);
            at = at.saturating_add(run.length());
        }
        Ok(if at == length { taken } else { taken.slice(0, at) })
    }

    /// Whether there is no next byte.
    pub(super) async fn ended(&mut self) -> Result<bool, JsValue> {
        Ok(!self.more().await?)
    }

    /// Takes what is left, up to so many bytes, and forgets it.
    pub(super) async fn drop_up_to(&mut self, most: u64) -> Result<(), JsValue> {
        let mut left = most;
        while left > 0 && self.more().await? {
            left = left.saturating_sub(self.next(u32::MAX).length().into());
        }
        Ok(())
    }

    /// What was taken from the stream and not asked for yet, and the stream with all that follows.
    pub(super) fn into_rest(mut self) -> (Uint8Array, Option<ReadableStream>) {
        if let Some(reader) = self.reader.take() {
            reader.release_lock();
        }
        (self.rest, self.stream)
    }

    /// Tells the stream that nobody reads on.
    pub(super) fn cancel(&mut self) {
        let cancelled = match (&self.reader, &self.stream) {
            (Some(reader), _) => reader.cancel(),
            (None, Some(stream)) => stream.cancel(),
            (None, None) => return,
        };
        // Nobody hears whether that went well.
        worker::wasm_bindgen_futures::spawn_local(async move { drop(JsFuture::from(cancelled).await) });
    }

    fn next(&mut self, most: u32) -> Uint8Array {
        let length = most.min(self.rest.length());
        let run = self.rest.subarray(0, length);
        self.rest = self.rest.subarray(length, self.rest.length());
        run
    }

    async fn more(&mut self) -> Result<bool, JsValue> {
        while self.rest.length() == 0 {
            let Some(read) = self.reader()?.map(ReadableStreamDefaultReader::read) else { return Ok(false) };
            let run = JsFuture::from(read).await?;
            if Reflect::get(&run, &"done".into())?.is_truthy() {
                return Ok(false);
            }
            self.rest = Reflect::get(&run, &"value".into())?.unchecked_into();
        }
        Ok(true)
    }

    fn reader(&mut self) -> Result<Option<&ReadableStreamDefaultReader>, JsValue> {
        if self.reader.is_none()
            && let Some(stream) = &self.stream
        {
            self.reader = Some(ReadableStreamDefaultReader::new(stream)?);
        }
        Ok(self.reader.as_ref())
    }
}
