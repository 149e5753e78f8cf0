// Requests to `next start`: each gets a context before Next.js sees it, and its response the headers that tell what was served.
import { subscribe } from "node:diagnostics_channel";
import { ServerResponse } from "node:http";
import { RequestContext, currentContext, enterContext } from "../context.js";
import { headersOf } from "../response-headers.js";

/** What a handler may still do after the response before its leases are given back. */
const IDLE_MS = 1000;
const NO_CTX = { waitUntil() {} };

export class Requests {
  #engine;
  #previewId;
  #servedTo;
  #sent;
  #ended;
  /** Contexts of requests that were under way before this was made: nothing leads to them but that there is one only. */
  #early = new Set();

  /**
   * @param {object} parts
   * @param {import("../engine/engine.js").Engine} parts.engine
   * @param {string} parts.previewId what makes a request an on-demand regeneration
   * @param {(context: RequestContext, response: object) => object | undefined} parts.servedTo what a response is made of
   * @param {(context: RequestContext, failed: boolean) => void} parts.sent called when a response was sent whole
   * @param {(context: RequestContext, failed: boolean) => void} parts.ended called a while later
   */
  constructor({ engine, previewId, servedTo, sent, ended }) {
    this.#engine = engine;
    this.#previewId = previewId;
    this.#servedTo = servedTo;
    this.#sent = sent;
    this.#ended = ended;
  }

  watch() {
    subscribe("http.server.request.start", ({ request, response }) => enterContext(this.#follow(request, response)));
    for (const response of underWay()) {
      const context = this.#follow(response.req, response);
      this.#early.add(context);
      response.once("close", () => this.#early.delete(context));
    }
  }

  /**
   * The context of the request that Next.js made a handler for. For `res.revalidate` it makes a request up that no server has
   * seen, in the middle of another.
   *
   * @param {Record<string, string>} headers that request's
   */
  contextFor(headers) {
    const onDemand = this.#isOnDemand(headers);
    const context = this.current();
    if (context?.onDemand === onDemand) return context;
    const madeUp = new RequestContext(undefined, undefined, NO_CTX);
    madeUp.onDemand = onDemand;
    return madeUp;
  }

  /** The context of the request in progress, if that is known. */
  current() {
    return currentContext() ?? (this.#early.size === 1 ? [...this.#early][0] : undefined);
  }

  #follow(request, response) {
    const context = new RequestContext(request, undefined, NO_CTX);
    const { headers } = request;
    context.prefetch =
      headers.purpose === "prefetch" ||
      headers["next-router-prefetch"] !== undefined ||
      headers["next-router-segment-prefetch"] !== undefined;
    context.onDemand = this.#isOnDemand(headers);
    this.#amendHead(context, response);
    // A client that went away has not ended the render that others may wait for.
    response.once("finish", () => {
      const failed = response.statusCode >= 500;
      this.#sent(context, failed);
      setTimeout(() => this.#ended(context, failed), IDLE_MS).unref();
    });
    return context;
  }

  #isOnDemand(headers) {
    return this.#previewId !== undefined && headers["x-prerender-revalidate"] === this.#previewId;
  }

  /** Every way to send a head ends in `writeHead`. Whatever goes wrong here, the response is sent as the app made it. */
  #amendHead(context, response) {
    const { writeHead } = response;
    const engine = this.#engine;
    const whatIsServed = () => this.#servedTo(context, response);
    response.writeHead = function (...head) {
      try {
        const served = response.headersSent ? undefined : whatIsServed();
        const status = typeof head[0] === "number" ? head[0] : response.statusCode;
        const told = served ? headersOf(engine, served, { status, cacheControl: response.getHeader("cache-control") }) : {};
        for (const [name, value] of Object.entries(told)) response.setHeader(name, value);
      } catch {
        // An engine that breaks twice in a row has no header to tell.
      }
      return writeHead.apply(this, head);
    };
  }
}

/**
 * Responses that nothing was sent of yet. Next.js loads its handler while the first request waits; of requests that began before
 * Node tells nothing but the sockets that are in use. Where it does not, their responses go without `Cache-Status`.
 */
function underWay() {
  const responses = (process._getActiveHandles?.() ?? []).map((handle) => handle._httpMessage);
  return responses.filter((response) => response instanceof ServerResponse && response.req && !response.headersSent);
}
